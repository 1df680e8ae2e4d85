import type { Db, DbOrTx, Tx } from '@timbre/db/client';
import { preparedRead } from '@timbre/db/prepared';
import { generations, renderings } from '@timbre/db/tts/tables';
import { isId } from '@timbre/platform/ids';
import { and, count, eq, getTableColumns, inArray, lt, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import type { GenerationRow } from '../rows.ts';

const { text: _text, ...shown } = getTableColumns(generations);

/** The columns of a {@link GenerationRow}, for every query that reads generations joined with their renderings. */
export const generationColumns = { generation: shown, rendering: getTableColumns(renderings) };

// `for update of` takes a name without a schema, which drizzle writes for an alias alone.
const locked = alias(generations, 'locked');
const { text: _lockedText, ...lockedShown } = getTableColumns(locked);
const lockedColumns = { generation: lockedShown, rendering: getTableColumns(renderings) };

interface Joined {
  generation: Omit<GenerationRow, 'rendering'>;
  rendering: GenerationRow['rendering'];
}

export const toGenerationRow = ({ generation, rendering }: Joined): GenerationRow => ({ ...generation, rendering });

const ACTIVE = ['QUEUED', 'RUNNING'] as const;

const ownGenerations = preparedRead('tts_own_generations', (db, among) =>
  db
    .select(generationColumns)
    .from(generations)
    .innerJoin(renderings, eq(renderings.id, generations.renderingId))
    .where(and(among(generations.id, 'ids'), eq(generations.ownerId, sql.placeholder('viewerId')))),
);

const lastSequences = preparedRead('tts_last_sequences', (db, among) =>
  db
    .select({ id: generations.id, lastSequence: generations.lastSequence })
    .from(generations)
    .where(among(generations.id, 'ids')),
);

const other = alias(generations, 'other');

const queuePositions = preparedRead('tts_queue_positions', (db, among) => {
  const before = and(
    eq(other.ownerId, generations.ownerId),
    sql`${other.state} = 'QUEUED'`,
    lt(other.id, generations.id),
  );
  const ahead = sql`(${db.select({ count: count() }).from(other).where(before)})`.mapWith(Number);
  return db.select({ id: generations.id, ahead }).from(generations).where(among(generations.id, 'ids'));
});

/** The viewer's own, in the order of the ids; null for a missing one and a stranger's alike. */
export async function readOwnGenerations(
  db: DbOrTx,
  viewerId: string,
  ids: readonly string[],
): Promise<(GenerationRow | null)[]> {
  const rows = await ownGenerations(db, { ids, viewerId });
  const byId = new Map(rows.map((row) => [row.generation.id, toGenerationRow(row)]));
  return ids.map((id) => byId.get(id) ?? null);
}

/** The newest events' sequences in the order of the ids; null for a generation that is not there. */
export async function readLastSequences(db: DbOrTx, ids: readonly string[]): Promise<(number | null)[]> {
  const rows = await lastSequences(db, { ids });
  const byId = new Map(rows.map((row) => [row.id, row.lastSequence]));
  return ids.map((id) => byId.get(id) ?? null);
}

/** Texts in the order of the ids. */
export async function readTexts(db: DbOrTx, ids: readonly string[]): Promise<(string | null)[]> {
  const rows = await db
    .select({ id: generations.id, text: generations.text })
    .from(generations)
    .where(inArray(generations.id, [...ids]));
  const byId = new Map(rows.map((row) => [row.id, row.text]));
  return ids.map((id) => byId.get(id) ?? null);
}

/** The generation with its row locked: what changes its state, its chunks or its events goes through here first. */
export async function lockGeneration(tx: Tx, id: string): Promise<GenerationRow | null> {
  const [row] = await tx
    .select(lockedColumns)
    .from(locked)
    .innerJoin(renderings, eq(renderings.id, locked.renderingId))
    .where(eq(locked.id, id))
    .for('update', { of: locked });
  return row ? toGenerationRow(row) : null;
}

/** As {@link lockGeneration} for many of one owner, in one order, so that two such calls cannot deadlock. */
export async function lockOwnGenerations(
  tx: Tx,
  viewerId: string,
  ids: readonly string[],
): Promise<Map<string, GenerationRow>> {
  // PostgreSQL takes no text with a NUL in it, and what was sent may be anything.
  const wellFormed = ids.filter((id) => isId('gen', id));
  if (wellFormed.length === 0) return new Map();
  const rows = await tx
    .select(lockedColumns)
    .from(locked)
    .innerJoin(renderings, eq(renderings.id, locked.renderingId))
    .where(and(inArray(locked.id, wellFormed), eq(locked.ownerId, viewerId)))
    .orderBy(locked.id)
    .for('update', { of: locked });
  return new Map(rows.map((row) => [row.generation.id, toGenerationRow(row)]));
}

export async function insertGeneration(tx: Tx, row: typeof generations.$inferInsert): Promise<void> {
  await tx.insert(generations).values(row);
}

export async function updateGeneration(
  tx: Tx,
  id: string,
  change: Partial<typeof generations.$inferInsert>,
): Promise<void> {
  await tx
    .update(generations)
    .set({ ...change, updatedAt: sql`now()` })
    .where(eq(generations.id, id));
}

export async function deleteGenerationRows(tx: Tx, ids: readonly string[]): Promise<void> {
  await tx.delete(generations).where(inArray(generations.id, [...ids]));
}

/** Makes one tenant's starts wait for each other until the transaction ends, so that what they count stays true. */
export async function lockTenant(tx: Tx, ownerId: string): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`tts:${ownerId}`}, 0))`);
}

/** How many of the tenant's generations wait or run. */
export async function countActive(db: DbOrTx, ownerId: string): Promise<{ queued: number; active: number }> {
  const [row] = await db
    .select({
      queued: sql<number>`count(*) filter (where ${generations.state} = 'QUEUED')`.mapWith(Number),
      active: count(),
    })
    .from(generations)
    .where(and(eq(generations.ownerId, ownerId), inArray(generations.state, [...ACTIVE])));
  return row ?? { queued: 0, active: 0 };
}

/** For each id, how many of the same owner's generations were queued before it and still are. */
export async function readQueuePositions(db: Db, ids: readonly string[]): Promise<number[]> {
  const rows = await queuePositions(db, { ids });
  const byId = new Map(rows.map((row) => [row.id, row.ahead]));
  return ids.map((id) => byId.get(id) ?? 0);
}

/** Mean time from start to finish of the tenant's latest finished generations, ms; null where there are none. */
export async function readMeanRunMs(db: DbOrTx, ownerId: string): Promise<number | null> {
  const {
    rows: [row],
  } = await db.execute<{ mean: number | null }>(sql`
    select avg(extract(epoch from completed_at - started_at) * 1000)::float8 as mean from (
      select completed_at, started_at from ${generations}
      where owner_id = ${ownerId} and completed_at is not null and started_at is not null
      order by id desc limit 20
    ) latest`);
  return row?.mean ?? null;
}
