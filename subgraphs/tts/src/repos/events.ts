import type { DbOrTx, Tx } from '@timbre/db/client';
import { events, generations, type GenerationEventKind, type GenerationEventPayload } from '@timbre/db/tts/tables';
import { and, asc, eq, gt, sql } from 'drizzle-orm';

export interface EventDraft {
  kind: GenerationEventKind;
  payload: GenerationEventPayload;
}

export interface StoredEvent extends EventDraft {
  sequence: number;
}

/** What else changes in a generation's row when events are appended. */
type Change = Omit<Partial<typeof generations.$inferInsert>, 'id' | 'lastSequence' | 'updatedAt'>;

/**
 * Appends to a generation's log, and changes its row by the same statement. The counter lives in the generation's row, whose lock this takes (or the caller
 * already has): numbers are allotted without gaps and become visible in order.
 */
export async function appendEvents(
  tx: Tx,
  generationId: string,
  drafts: readonly EventDraft[],
  change: Change = {},
): Promise<void> {
  if (drafts.length === 0) return;
  const [row] = await tx
    .update(generations)
    .set({ ...change, lastSequence: sql`${generations.lastSequence} + ${drafts.length}`, updatedAt: sql`now()` })
    .where(eq(generations.id, generationId))
    .returning({ last: generations.lastSequence });
  if (!row) throw new Error(`There is no generation ${generationId} to append events to.`);
  const first = row.last - drafts.length + 1;
  await tx.insert(events).values(drafts.map((draft, i) => ({ generationId, sequence: first + i, ...draft })));
}

/** The events after a sequence number, in order. */
export async function readEventsAfter(
  db: DbOrTx,
  generationId: string,
  afterSequence: number,
  limit: number,
): Promise<StoredEvent[]> {
  return db
    .select({ sequence: events.sequence, kind: events.kind, payload: events.payload })
    .from(events)
    .where(and(eq(events.generationId, generationId), gt(events.sequence, afterSequence)))
    .orderBy(asc(events.sequence))
    .limit(limit);
}
