import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Bus } from '../bus/bus.ts';
import { channels } from '../bus/hints.ts';

const name = z.string().min(1).max(200);

/** What of the routers' response caches is not right any more; fields are named as the Apollo Router names them. */
export const invalidationSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('subgraph'), subgraph: name }),
  /** All that has objects of a type; of all subgraphs where none is named. */
  z.strictObject({ kind: z.literal('type'), type: name, subgraph: name.optional() }),
  /** All that has an entity, by one of its keys; of all subgraphs where none is named. */
  z.strictObject({
    kind: z.literal('entity'),
    type: name,
    key: z.record(name, z.unknown()),
    subgraph: name.optional(),
  }),
  /** All that bears a `@cacheTag`; of all subgraphs where none is named. */
  z.strictObject({
    kind: z.literal('cache_tag'),
    cache_tag: z.string().min(1).max(2_000),
    subgraphs: z.array(name).max(100).optional(),
  }),
]);

export type Invalidation = z.output<typeof invalidationSchema>;

/** What subgraphs tell routers on the channel `cache.invalidate`. */
export const invalidationMessageSchema = z.strictObject({
  /** Tells routers that they hear of the same. */
  id: z.string().min(1).max(100),
  invalidations: z.array(invalidationSchema).min(1).max(100),
});

/** Tells all routers that something has changed. After the commit: what is asked for meanwhile may be kept. */
export async function publishInvalidations(bus: Bus, invalidations: readonly Invalidation[]): Promise<void> {
  await bus.publish(channels.cacheInvalidations, JSON.stringify({ id: randomUUID(), invalidations }));
}
