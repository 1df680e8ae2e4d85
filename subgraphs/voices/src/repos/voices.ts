import { and, count, desc, eq, inArray, notInArray, sql } from 'drizzle-orm';
import type { DbOrTx, Tx } from '@timbre/db/client';
import { voices } from '@timbre/db/voices/tables';
import type { VoiceRow } from '../rows.ts';
import { visible, within, type Visibility, type VoiceScope } from './voice-scope.ts';

/** In the order of the ids; null for what is missing or not to be seen. */
export async function findVoices(
  db: DbOrTx,
  visibility: Visibility,
  ids: readonly string[],
): Promise<(VoiceRow | null)[]> {
  const rows = await db
    .select()
    .from(voices)
    .where(and(inArray(voices.id, [...ids]), visible(visibility)));
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id) ?? null);
}

export type VoiceProgress = Pick<VoiceRow, 'status' | 'fitting'>;

/** In the order of the ids, whoever sees them; null for what is missing. */
export async function readProgress(db: DbOrTx, ids: readonly string[]): Promise<(VoiceProgress | null)[]> {
  const { id, status, fitting } = voices;
  const rows = await db
    .select({ id, status, fitting })
    .from(voices)
    .where(inArray(voices.id, [...ids]));
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((each) => byId.get(each) ?? null);
}

/** A person's own voice, locked until the transaction ends. */
export async function lockOwnVoice(tx: Tx, viewerId: string, id: string): Promise<VoiceRow | null> {
  const [row] = await tx
    .select()
    .from(voices)
    .where(and(eq(voices.id, id), visible({ of: 'owner', viewerId })))
    .for('update');
  return row ?? null;
}

export interface PagePosition {
  createdAt: Date;
  id: string;
}

/** Newest first, `limit` rows behind `after`. */
export async function listVoices(
  db: DbOrTx,
  scope: VoiceScope,
  after: PagePosition | null,
  limit: number,
): Promise<VoiceRow[]> {
  const behind =
    after === null
      ? undefined
      : sql`(${voices.createdAt}, ${voices.id}) < (${after.createdAt.toISOString()}::timestamptz, ${after.id})`;
  return db
    .select()
    .from(voices)
    .where(and(within(scope), behind))
    .orderBy(desc(voices.createdAt), desc(voices.id))
    .limit(limit);
}

export async function countVoices(db: DbOrTx, scope: VoiceScope): Promise<number> {
  const [row] = await db.select({ total: count() }).from(voices).where(within(scope));
  return row?.total ?? 0;
}

/** The slots a person occupies. Failed voices and those being deleted hold none. */
export async function countSlots(tx: Tx, viewerId: string): Promise<number> {
  const [row] = await tx
    .select({ used: count() })
    .from(voices)
    .where(and(eq(voices.ownerId, viewerId), notInArray(voices.status, ['FAILED', 'DELETING'])));
  return row?.used ?? 0;
}

/** Serialises whatever takes a slot of this person's, until the transaction ends: counting alone would race. */
export async function lockSlots(tx: Tx, viewerId: string): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`voices.slots:${viewerId}`}, 0))`);
}

export async function insertVoice(tx: Tx, voice: typeof voices.$inferInsert): Promise<VoiceRow> {
  const [row] = await tx.insert(voices).values(voice).returning();
  if (row === undefined) throw new Error('The voice was not inserted.');
  return row;
}

/** Writes to a row that this transaction holds, see `lockOwnVoice`. */
export async function updateLockedVoice(
  tx: Tx,
  id: string,
  change: Partial<Omit<typeof voices.$inferInsert, 'id' | 'ownerId' | 'createdAt'>>,
): Promise<VoiceRow> {
  const [row] = await tx
    .update(voices)
    .set({ ...change, updatedAt: sql`now()` })
    .where(eq(voices.id, id))
    .returning();
  if (row === undefined) throw new Error('A locked voice has vanished.');
  return row;
}
