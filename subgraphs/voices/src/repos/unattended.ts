import { and, asc, eq, inArray, lt, sql } from 'drizzle-orm';
import type { DbOrTx, Tx } from '@timbre/db/client';
import {
  consents,
  samples,
  voices,
  type FailureValue,
  type MatchValue,
  type VoiceStatus,
} from '@timbre/db/voices/tables';
import type { ConsentRow, SampleRow, VoiceRow } from '../rows.ts';

/*
 * What jobs do: nobody is watching, so there is no viewer to check. Each write names the status it
 * starts from instead, so that a worker whose voice was deleted or revoked meanwhile changes nothing.
 */

export interface VoiceWithRecordings {
  voice: VoiceRow & { ownerId: string };
  samples: SampleRow[];
  consent: ConsentRow | null;
}

/** A person's voice; null when it is gone. */
export async function readVoice(db: DbOrTx, voiceId: string): Promise<VoiceWithRecordings | null> {
  const [voice] = await db.select().from(voices).where(eq(voices.id, voiceId));
  if (voice === undefined || voice.ownerId === null) return null;
  const [recordings, [consent = null]] = await Promise.all([
    db.select().from(samples).where(eq(samples.voiceId, voiceId)).orderBy(asc(samples.position)),
    db.select().from(consents).where(eq(consents.voiceId, voiceId)),
  ]);
  return { voice: { ...voice, ownerId: voice.ownerId }, samples: recordings, consent };
}

const processing = (voiceId: string) => and(eq(voices.id, voiceId), eq(voices.status, 'PROCESSING'));

/** Never falls back, so that a restarted job does not show less than was seen. False: no longer PROCESSING. */
export async function writeFitting(db: DbOrTx, voiceId: string, fitting: number): Promise<boolean> {
  const written = await db
    .update(voices)
    .set({ fitting: sql`greatest(coalesce(${voices.fitting}, 0), ${fitting}::real)`, updatedAt: sql`now()` })
    .where(processing(voiceId))
    .returning({ id: voices.id });
  return written.length > 0;
}

export interface Fitted {
  profile: unknown;
  match: MatchValue;
  languages: string[];
  revision: number;
  previewKey: string;
}

/** False: no longer PROCESSING, and nothing was written. */
export async function writeReady(tx: Tx, voiceId: string, fitted: Fitted): Promise<boolean> {
  const written = await tx
    .update(voices)
    .set({ ...fitted, status: 'READY', fitting: null, failure: null, updatedAt: sql`now()` })
    .where(processing(voiceId))
    .returning({ id: voices.id });
  return written.length > 0;
}

/** False: no longer PROCESSING, and nothing was written. */
export async function writeFailed(tx: Tx, voiceId: string, failure: FailureValue): Promise<boolean> {
  const written = await tx
    .update(voices)
    .set({ status: 'FAILED', failure, fitting: null, updatedAt: sql`now()` })
    .where(processing(voiceId))
    .returning({ id: voices.id });
  return written.length > 0;
}

/** With its samples and consent. Only what is being deleted: anything else stays. */
export async function deleteRows(db: DbOrTx, voiceId: string): Promise<void> {
  await db.delete(voices).where(and(eq(voices.id, voiceId), eq(voices.status, 'DELETING')));
}

/** Clones that stand in one of `statuses` since before `since`, locked; those that others hold are passed over. */
export async function lockStale(
  tx: Tx,
  statuses: VoiceStatus[],
  since: Date,
  limit: number,
): Promise<{ id: string; ownerId: string }[]> {
  const rows = await tx
    .select({ id: voices.id, ownerId: voices.ownerId })
    .from(voices)
    .where(and(inArray(voices.status, statuses), lt(voices.updatedAt, since)))
    .orderBy(asc(voices.updatedAt))
    .limit(limit)
    .for('update', { skipLocked: true });
  return rows.flatMap(({ id, ownerId }) => (ownerId === null ? [] : [{ id, ownerId }]));
}

/** `updatedAt` is moved on, so that the next sweep leaves them alone for a while. */
export async function markDeleting(tx: Tx, ids: string[]): Promise<void> {
  await tx
    .update(voices)
    .set({ status: 'DELETING', fitting: null, updatedAt: sql`now()` })
    .where(inArray(voices.id, ids));
}
