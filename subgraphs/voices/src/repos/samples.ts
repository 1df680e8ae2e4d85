import { and, asc, eq, inArray } from 'drizzle-orm';
import type { DbOrTx, Tx } from '@timbre/db/client';
import { samples } from '@timbre/db/voices/tables';
import type { SampleRow } from '../rows.ts';

/** Each voice's samples in their order, for the viewer's own voices; an empty list for every other id. */
export async function findSamples(db: DbOrTx, viewerId: string, voiceIds: readonly string[]): Promise<SampleRow[][]> {
  const rows = await db
    .select()
    .from(samples)
    .where(and(inArray(samples.voiceId, [...voiceIds]), eq(samples.ownerId, viewerId)))
    .orderBy(asc(samples.position));
  const byVoice = Map.groupBy(rows, (row) => row.voiceId);
  return voiceIds.map((id) => byVoice.get(id) ?? []);
}

export async function insertSamples(tx: Tx, rows: (typeof samples.$inferInsert)[]): Promise<SampleRow[]> {
  return tx.insert(samples).values(rows).returning();
}

export async function writeDuration(db: DbOrTx, sampleId: string, durationMs: number): Promise<void> {
  await db.update(samples).set({ durationMs }).where(eq(samples.id, sampleId));
}
