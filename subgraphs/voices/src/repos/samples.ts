import { and, asc, eq, sql } from 'drizzle-orm';
import type { DbOrTx, Tx } from '@timbre/db/client';
import { preparedRead } from '@timbre/db/prepared';
import { samples } from '@timbre/db/voices/tables';
import type { SampleRow } from '../rows.ts';

const samplesOf = preparedRead('voices_samples', (db, among) =>
  db
    .select()
    .from(samples)
    .where(and(among(samples.voiceId, 'voiceIds'), eq(samples.ownerId, sql.placeholder('viewerId'))))
    .orderBy(asc(samples.position)),
);

/** Each voice's samples in their order, for the viewer's own voices; an empty list for every other id. */
export async function findSamples(db: DbOrTx, viewerId: string, voiceIds: readonly string[]): Promise<SampleRow[][]> {
  const rows = await samplesOf(db, { voiceIds, viewerId });
  const byVoice = Map.groupBy(rows, (row) => row.voiceId);
  return voiceIds.map((id) => byVoice.get(id) ?? []);
}

export async function insertSamples(tx: Tx, rows: (typeof samples.$inferInsert)[]): Promise<SampleRow[]> {
  return tx.insert(samples).values(rows).returning();
}

export async function writeDuration(db: DbOrTx, sampleId: string, durationMs: number): Promise<void> {
  await db.update(samples).set({ durationMs }).where(eq(samples.id, sampleId));
}
