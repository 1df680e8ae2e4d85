import type { Db } from '@timbre/db/client';
import { chunks, type WordTuple } from '@timbre/db/tts/tables';
import { and, asc, eq, gte, lt, or, sql } from 'drizzle-orm';
import type { SoundingChunkRow } from '../rows.ts';

/** Pages of many renderings' chunks, in the order of the keys. Indexes are dense, so that a page is a range of them. */
export async function readChunkPages(
  db: Db,
  keys: readonly { renderingId: string; fromIndex: number; limit: number }[],
): Promise<SoundingChunkRow[][]> {
  const rows = await db
    .select()
    .from(chunks)
    .where(
      or(
        ...keys.map(({ renderingId, fromIndex, limit }) =>
          and(eq(chunks.renderingId, renderingId), gte(chunks.index, fromIndex), lt(chunks.index, fromIndex + limit)),
        ),
      ),
    )
    .orderBy(asc(chunks.index));
  const byRendering = Map.groupBy(rows, ({ renderingId }) => renderingId);
  return keys.map(({ renderingId, fromIndex, limit }) =>
    (byRendering.get(renderingId) ?? []).filter(({ index }) => index >= fromIndex && index < fromIndex + limit),
  );
}

/** A chunk with sound and a known place in the whole. */
export interface PlacedChunkRow {
  charStart: number;
  charEnd: number;
  startSample: number;
  sampleCount: number;
  words: WordTuple[];
}

const PLACED_CHUNKS = 16;

/** For each key the next 16 placed chunks whose text reaches beyond `fromChar`, in order. */
export async function readPlacedChunks(
  db: Db,
  keys: readonly { renderingId: string; fromChar: number }[],
): Promise<PlacedChunkRow[][]> {
  const wanted = sql.join(
    keys.map(({ renderingId, fromChar }, at) => sql`(${at}::int, ${renderingId}::text, ${fromChar}::int)`),
    sql`, `,
  );
  const { rows } = await db.execute<{
    at: number;
    char_start: number;
    char_end: number;
    start_sample: number;
    sample_count: number;
    words: WordTuple[];
  }>(sql`
    select k.at, c.char_start, c.char_end, c.start_sample, c.sample_count, c.words
    from (values ${wanted}) as k (at, rendering_id, from_char)
    cross join lateral (
      select * from ${chunks} s
      where s.rendering_id = k.rendering_id and s.char_end > k.from_char
        and s.state = 'SUCCEEDED' and s.start_sample is not null
      order by s.index limit ${PLACED_CHUNKS}
    ) c
    order by k.at, c.index`);
  const byKey = Map.groupBy(rows, ({ at }) => at);
  return keys.map((_, at) =>
    (byKey.get(at) ?? []).map((row) => ({
      charStart: row.char_start,
      charEnd: row.char_end,
      startSample: row.start_sample,
      sampleCount: row.sample_count,
      words: row.words,
    })),
  );
}
