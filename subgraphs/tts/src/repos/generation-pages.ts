import type { Db } from '@timbre/db/client';
import { preparedRead } from '@timbre/db/prepared';
import { generations, renderings, type GenerationState } from '@timbre/db/tts/tables';
import { and, desc, eq, gte, inArray, lt, sql } from 'drizzle-orm';
import type { GenerationRow } from '../rows.ts';
import { generationColumns, readOwnGenerations, toGenerationRow } from './generations.ts';

export interface GenerationFilterRow {
  state: GenerationState | null;
  voiceId: string | null;
  /** Made at this time or later. */
  since: Date | null;
  /** Made before this time. */
  until: Date | null;
}

export interface PageOf {
  /** Rows to read: one more than are shown tells whether there is a next page. */
  limit: number;
  /** The id after which the page begins, newest first; null for the first page. */
  afterId: string | null;
}

const pageOfOwner = (after: '' | '_after') =>
  preparedRead(`tts_page${after}`, (db) =>
    db
      .select(generationColumns)
      .from(generations)
      .innerJoin(renderings, eq(renderings.id, generations.renderingId))
      .where(
        and(
          eq(generations.ownerId, sql.placeholder('ownerId')),
          after === '' ? undefined : lt(generations.id, sql.placeholder('afterId')),
        ),
      )
      .orderBy(desc(generations.id))
      .limit(sql.placeholder('limit')),
  );
const firstPage = pageOfOwner('');
const laterPage = pageOfOwner('_after');

/** A page of the owner's generations, newest first: ids are UUIDv7, so they are in the order they were made in. */
export async function readGenerationPage(
  db: Db,
  ownerId: string,
  filter: GenerationFilterRow,
  { limit, afterId }: PageOf,
): Promise<GenerationRow[]> {
  if (Object.values(filter).every((value) => value === null)) {
    const page = await (afterId === null ? firstPage : laterPage)(db, { ownerId, afterId, limit });
    return page.map(toGenerationRow);
  }
  const rows = await db
    .select(generationColumns)
    .from(generations)
    .innerJoin(renderings, eq(renderings.id, generations.renderingId))
    .where(
      and(
        eq(generations.ownerId, ownerId),
        filter.state === null ? undefined : eq(generations.state, filter.state),
        filter.voiceId === null ? undefined : eq(generations.voiceId, filter.voiceId),
        filter.since === null ? undefined : gte(generations.createdAt, filter.since),
        filter.until === null ? undefined : lt(generations.createdAt, filter.until),
        afterId === null ? undefined : lt(generations.id, afterId),
      ),
    )
    .orderBy(desc(generations.id))
    .limit(limit);
  return rows.map(toGenerationRow);
}

/** The same page for many voices at once: the owner's generations with each of them, in the order of `voiceIds`. */
export async function readVoicePages(
  db: Db,
  ownerId: string,
  voiceIds: readonly string[],
  { limit, afterId }: PageOf,
): Promise<GenerationRow[][]> {
  const after = afterId === null ? sql`true` : sql`g.id < ${afterId}`;
  const { rows: found } = await db.execute<{ id: string; voice_id: string }>(sql`
    select page.id, page.voice_id
    from (select distinct voice_id from ${generations} where owner_id = ${ownerId} and voice_id in ${[...voiceIds]}) v
    cross join lateral (
      select g.id, g.voice_id from ${generations} g
      where g.owner_id = ${ownerId} and g.voice_id = v.voice_id and ${after}
      order by g.id desc limit ${limit}
    ) page`);
  if (found.length === 0) return voiceIds.map(() => []);
  const rows = await readOwnGenerations(
    db,
    ownerId,
    found.map(({ id }) => id),
  );
  const byVoice = new Map<string, GenerationRow[]>();
  for (const row of rows) {
    if (row) byVoice.set(row.voiceId, [...(byVoice.get(row.voiceId) ?? []), row]);
  }
  return voiceIds.map((id) => (byVoice.get(id) ?? []).toSorted((a, b) => (a.id < b.id ? 1 : -1)));
}

/** How many generations there are of each state, for the metrics. */
export async function countByState(db: Db): Promise<{ state: GenerationState; total: number }[]> {
  return db
    .select({ state: generations.state, total: sql<number>`count(*)`.mapWith(Number) })
    .from(generations)
    .where(inArray(generations.state, ['QUEUED', 'RUNNING']))
    .groupBy(generations.state);
}
