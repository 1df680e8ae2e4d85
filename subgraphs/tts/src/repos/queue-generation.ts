import type { Tx } from '@timbre/db/client';
import { chunks, events, generations, renderings } from '@timbre/db/tts/tables';
import type { EventDraft } from './events.ts';

export interface QueuedGeneration {
  rendering: typeof renderings.$inferInsert;
  generation: typeof generations.$inferInsert;
  /** Of the chunks, in order. */
  ranges: readonly { charStart: number; charEnd: number }[];
  /** Its first. */
  event: EventDraft;
}

/** Everything that a generation begins with, by one statement: the tenant's next start waits for this transaction. */
export async function insertQueuedGeneration(
  tx: Tx,
  { rendering, generation, ranges, event }: QueuedGeneration,
): Promise<void> {
  const sound = tx.$with('sound').as(tx.insert(renderings).values(rendering).returning({ id: renderings.id }));
  const order = tx.$with('order').as(
    tx
      .insert(generations)
      .values({ ...generation, lastSequence: 1 })
      .returning({ id: generations.id }),
  );
  const parts = tx.$with('parts').as(
    tx
      .insert(chunks)
      .values(ranges.map((range, index) => ({ renderingId: rendering.id, index, ...range })))
      .returning({ index: chunks.index }),
  );
  await tx
    .with(sound, order, parts)
    .insert(events)
    .values({ generationId: generation.id, sequence: 1, ...event });
}
