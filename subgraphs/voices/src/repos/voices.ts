import { and, count, desc, eq, notInArray, sql } from 'drizzle-orm';
import type { DbOrTx, Tx } from '@timbre/db/client';
import { preparedRead } from '@timbre/db/prepared';
import { voices } from '@timbre/db/voices/tables';
import type { VoiceRow } from '../rows.ts';
import { visible, within, type Visibility, type VoiceScope } from './voice-scope.ts';

const VIEWER = sql.placeholder('viewerId');
const SEEN = {
  library: { of: 'library' },
  owner: { of: 'owner', viewerId: VIEWER },
  viewer: { of: 'viewer', viewerId: VIEWER },
} as const;

const voicesSeenBy = (of: keyof typeof SEEN) =>
  preparedRead(`voices_${of}`, (db, among) =>
    db
      .select()
      .from(voices)
      .where(and(among(voices.id, 'ids'), visible(SEEN[of]))),
  );
const voicesSeen = {
  library: voicesSeenBy('library'),
  owner: voicesSeenBy('owner'),
  viewer: voicesSeenBy('viewer'),
};

const progressOf = preparedRead('voices_progress', (db, among) => {
  const { id, status, fitting } = voices;
  return db.select({ id, status, fitting }).from(voices).where(among(id, 'ids'));
});

/** In the order of the ids; null for what is missing or not to be seen. */
export async function findVoices(
  db: DbOrTx,
  visibility: Visibility,
  ids: readonly string[],
): Promise<(VoiceRow | null)[]> {
  const viewerId = visibility.of === 'library' ? null : visibility.viewerId;
  // An anonymous viewer sees the library.
  const rows = await voicesSeen[viewerId === null ? 'library' : visibility.of](db, { ids, viewerId });
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id) ?? null);
}

export type VoiceProgress = Pick<VoiceRow, 'status' | 'fitting'>;

/** In the order of the ids, whoever sees them; null for what is missing. */
export async function readProgress(db: DbOrTx, ids: readonly string[]): Promise<(VoiceProgress | null)[]> {
  const rows = await progressOf(db, { ids });
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

const pageSeenBy = (of: 'library' | 'owner', behind: '' | '_behind') =>
  preparedRead(`voices_page_${of}${behind}`, (db) =>
    db
      .select()
      .from(voices)
      .where(
        and(
          visible(SEEN[of]),
          behind === ''
            ? undefined
            : sql`(${voices.createdAt}, ${voices.id}) < (${sql.placeholder('createdAt')}::timestamptz, ${sql.placeholder('id')})`,
        ),
      )
      .orderBy(desc(voices.createdAt), desc(voices.id))
      .limit(sql.placeholder('limit')),
  );
const pageSeen = {
  library: pageSeenBy('library', ''),
  owner: pageSeenBy('owner', ''),
  library_behind: pageSeenBy('library', '_behind'),
  owner_behind: pageSeenBy('owner', '_behind'),
};

/** Newest first, `limit` rows behind `after`. */
export async function listVoices(
  db: DbOrTx,
  scope: VoiceScope,
  after: PagePosition | null,
  limit: number,
): Promise<VoiceRow[]> {
  const { visibility, filter } = scope;
  if (visibility.of !== 'viewer' && Object.keys(filter).length === 0) {
    const viewerId = visibility.of === 'owner' ? visibility.viewerId : null;
    const position = after === null ? {} : { createdAt: after.createdAt.toISOString(), id: after.id };
    const read = pageSeen[after === null ? visibility.of : (`${visibility.of}_behind` as const)];
    return read(db, { viewerId, limit, ...position });
  }
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

const countOwn = preparedRead('voices_count_owner', (db) =>
  db.select({ total: count() }).from(voices).where(visible(SEEN.owner)),
);

export async function countVoices(db: DbOrTx, scope: VoiceScope): Promise<number> {
  const { visibility, filter } = scope;
  if (visibility.of === 'owner' && Object.keys(filter).length === 0) {
    const [own] = await countOwn(db, { viewerId: visibility.viewerId });
    return own?.total ?? 0;
  }
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

export type VoiceChange = Partial<Omit<typeof voices.$inferInsert, 'id' | 'ownerId' | 'createdAt'>>;

/** Null where there is none of this person's. */
export async function updateOwnVoice(
  db: DbOrTx,
  viewerId: string,
  id: string,
  change: VoiceChange,
): Promise<VoiceRow | null> {
  const [row] = await db
    .update(voices)
    .set({ ...change, updatedAt: sql`now()` })
    .where(and(eq(voices.id, id), visible({ of: 'owner', viewerId })))
    .returning();
  return row ?? null;
}

/** Writes to a row that this transaction holds, see `lockOwnVoice`. */
export async function updateLockedVoice(tx: Tx, id: string, change: VoiceChange): Promise<VoiceRow> {
  const [row] = await tx
    .update(voices)
    .set({ ...change, updatedAt: sql`now()` })
    .where(eq(voices.id, id))
    .returning();
  if (row === undefined) throw new Error('A locked voice has vanished.');
  return row;
}
