import type { DbOrTx, Tx } from '@timbre/db/client';
import { audioCache, generations, renderings } from '@timbre/db/tts/tables';
import { and, eq, getTableColumns, inArray, sql } from 'drizzle-orm';
import type { RenderingRow } from '../rows.ts';

export async function updateRendering(
  tx: Tx,
  id: string,
  change: Partial<typeof renderings.$inferInsert>,
): Promise<void> {
  await tx.update(renderings).set(change).where(eq(renderings.id, id));
}

/**
 * The tenant's finished rendering of a content, kept from being deleted until the transaction ends; null where there
 * is none.
 */
export async function lockCachedRendering(tx: Tx, ownerId: string, contentHash: string): Promise<RenderingRow | null> {
  const [row] = await tx
    .select(getTableColumns(renderings))
    .from(renderings)
    .where(
      inArray(
        renderings.id,
        tx
          .select({ id: audioCache.renderingId })
          .from(audioCache)
          .where(and(eq(audioCache.ownerId, ownerId), eq(audioCache.contentHash, contentHash))),
      ),
    )
    .for('share');
  return row ?? null;
}

export async function isCached(db: DbOrTx, ownerId: string, contentHash: string): Promise<boolean> {
  const rows = await db
    .select({ id: audioCache.renderingId })
    .from(audioCache)
    .where(and(eq(audioCache.ownerId, ownerId), eq(audioCache.contentHash, contentHash)));
  return rows.length > 0;
}

/** The first finished one of a content stays: another that was made at the same time is served to nobody else. */
export async function publishRendering(
  tx: Tx,
  { id, ownerId, contentHash }: Pick<RenderingRow, 'id' | 'ownerId' | 'contentHash'>,
): Promise<void> {
  await tx.insert(audioCache).values({ ownerId, contentHash, renderingId: id }).onConflictDoNothing();
}

/** Deletes those of the renderings that no generation refers to any more, with chunks and cache entry; returns them. */
export async function deleteUnusedRenderings(tx: Tx, ids: readonly string[]): Promise<RenderingRow[]> {
  // Locked first: a cache hit that is under way holds a share lock, and its reference must be seen below.
  await tx
    .select({ id: renderings.id })
    .from(renderings)
    .where(inArray(renderings.id, [...ids]))
    .orderBy(renderings.id)
    .for('update');
  return tx
    .delete(renderings)
    .where(
      and(
        inArray(renderings.id, [...ids]),
        sql`not exists (select 1 from ${generations} g where g.rendering_id = ${renderings.id})`,
      ),
    )
    .returning();
}

/** Marks that the chunks' own objects go, the whole being stored; null where there is nothing to discard. */
export async function markChunkAudioDiscarded(db: DbOrTx, id: string): Promise<RenderingRow | null> {
  const [row] = await db
    .update(renderings)
    .set({ chunkAudioDiscardedAt: sql`coalesce(${renderings.chunkAudioDiscardedAt}, now())` })
    .where(and(eq(renderings.id, id), sql`${renderings.audioStoredAt} is not null`))
    .returning();
  return row ?? null;
}
