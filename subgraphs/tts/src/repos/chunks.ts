import type { DbOrTx, Tx } from '@timbre/db/client';
import { chunks, generations, renderings, type WordTuple } from '@timbre/db/tts/tables';
import { and, asc, eq, exists, gte, inArray, sql } from 'drizzle-orm';
import type { SoundingChunkRow } from '../rows.ts';

export interface ChunkFailure {
  code: string;
  message: string;
  retryable: boolean;
}

/** A rendering's chunks from an index on, in order. */
export async function readChunksFrom(
  db: DbOrTx,
  renderingId: string,
  fromIndex: number,
  limit: number,
): Promise<SoundingChunkRow[]> {
  return db
    .select()
    .from(chunks)
    .where(and(eq(chunks.renderingId, renderingId), gte(chunks.index, fromIndex)))
    .orderBy(asc(chunks.index))
    .limit(limit);
}

export async function readChunksAt(
  db: DbOrTx,
  renderingId: string,
  indexes: readonly number[],
): Promise<Map<number, SoundingChunkRow>> {
  if (indexes.length === 0) return new Map();
  const rows = await db
    .select()
    .from(chunks)
    .where(and(eq(chunks.renderingId, renderingId), inArray(chunks.index, [...indexes])));
  return new Map(rows.map((row) => [row.index, row]));
}

/**
 * Notes that speaking a chunk begins and counts the attempt, as long as the run is still the one that may write.
 * Null where it is not, or the chunk is no longer to be done.
 */
export async function beginChunkAttempt(
  db: DbOrTx,
  run: { generationId: string; renderingId: string; token: string },
  index: number,
): Promise<number | null> {
  const [row] = await db
    .update(chunks)
    .set({ state: 'RUNNING', attempts: sql`${chunks.attempts} + 1` })
    .where(
      and(
        eq(chunks.renderingId, run.renderingId),
        eq(chunks.index, index),
        inArray(chunks.state, ['QUEUED', 'RUNNING']),
        exists(
          db
            .select({ one: sql`1` })
            .from(generations)
            .where(
              and(
                eq(generations.id, run.generationId),
                eq(generations.runToken, run.token),
                eq(generations.state, 'RUNNING'),
              ),
            ),
        ),
      ),
    )
    .returning({ attempts: chunks.attempts });
  return row?.attempts ?? null;
}

export interface ChunkSound {
  audioKey: string;
  sampleCount: number;
  words: WordTuple[];
}

/** Marks a running chunk as done; false where it was no longer running. */
export async function succeedChunk(tx: Tx, renderingId: string, index: number, sound: ChunkSound): Promise<boolean> {
  const rows = await tx
    .update(chunks)
    .set({ state: 'SUCCEEDED', failureCode: null, failureMessage: null, failureRetryable: null, ...sound })
    .where(and(eq(chunks.renderingId, renderingId), eq(chunks.index, index), eq(chunks.state, 'RUNNING')))
    .returning({ index: chunks.index });
  return rows.length > 0;
}

/** Fails those chunks that are not done; null means all of them. Returns how many. */
export async function failChunks(
  tx: Tx,
  renderingId: string,
  indexes: readonly number[] | null,
  failure: ChunkFailure,
): Promise<number> {
  const rows = await tx
    .update(chunks)
    .set({
      state: 'FAILED',
      failureCode: failure.code,
      failureMessage: failure.message,
      failureRetryable: failure.retryable,
    })
    .where(
      and(
        eq(chunks.renderingId, renderingId),
        inArray(chunks.state, ['QUEUED', 'RUNNING']),
        indexes === null ? undefined : inArray(chunks.index, [...indexes]),
      ),
    )
    .returning({ index: chunks.index });
  return rows.length;
}

export async function cancelChunks(tx: Tx, renderingId: string): Promise<void> {
  await tx
    .update(chunks)
    .set({ state: 'CANCELED' })
    .where(and(eq(chunks.renderingId, renderingId), inArray(chunks.state, ['QUEUED', 'RUNNING'])));
}

/** Gives chunks back that were being spoken when their worker died. */
export async function requeueInterruptedChunks(tx: Tx, renderingId: string): Promise<void> {
  await tx
    .update(chunks)
    .set({ state: 'QUEUED' })
    .where(and(eq(chunks.renderingId, renderingId), eq(chunks.state, 'RUNNING')));
}

/** Gives failed chunks back to be done again; everything from the first of them on loses its place. */
export async function requeueFailedChunks(tx: Tx, renderingId: string): Promise<number[]> {
  const rows = await tx
    .update(chunks)
    .set({ state: 'QUEUED', failureCode: null, failureMessage: null, failureRetryable: null })
    .where(and(eq(chunks.renderingId, renderingId), eq(chunks.state, 'FAILED')))
    .returning({ index: chunks.index });
  const indexes = rows.map(({ index }) => index).toSorted((a, b) => a - b);
  const [first] = indexes;
  if (first !== undefined) {
    await tx
      .update(chunks)
      .set({ startSample: null })
      .where(and(eq(chunks.renderingId, renderingId), gte(chunks.index, first)));
  }
  return indexes;
}

/** Sets where chunks begin in the joined sound, marks them as announced, and notes how far the joined sound is known. */
export async function placeChunks(
  tx: Tx,
  renderingId: string,
  places: readonly { index: number; startSample: number }[],
  { joinedChunks, joinedSamples, sampleRate }: { joinedChunks: number; joinedSamples: number; sampleRate: number },
): Promise<void> {
  // Never empty, so that the statement is one: no chunk has this index.
  const values = [{ index: -1, startSample: 0 }, ...places].map(
    ({ index, startSample }) => sql`(${index}::int, ${startSample}::int)`,
  );
  await tx.execute(sql`
    with placed as (
      update ${chunks} as c set start_sample = p.start_sample, announced = c.announced or c.state = 'SUCCEEDED'
      from (values ${sql.join(values, sql`, `)}) as p (index, start_sample)
      where c.rendering_id = ${renderingId} and c.index = p.index
    )
    update ${renderings}
    set joined_chunks = ${joinedChunks}, joined_samples = ${joinedSamples}, sample_rate = ${sampleRate}
    where id = ${renderingId}`);
}
