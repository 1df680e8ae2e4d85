import type { Bus } from '@timbre/platform/bus/bus';
import { channels } from '@timbre/platform/bus/hints';
import { publishInvalidations } from '@timbre/platform/cache/invalidation';
import type { Logger } from '@timbre/platform/logger';

/** Tells a running worker to stop at once; any other payload only says "look again". */
export const CANCELED_HINT = 'canceled';

/** What can be spoken with may be other models now: which there are, and which voices can be used. */
export async function tellModels(bus: Bus): Promise<void> {
  await publishInvalidations(bus, [
    { kind: 'type', type: 'Model', subgraph: 'tts' },
    { kind: 'type', type: 'Voice', subgraph: 'tts' },
  ]);
}

export interface Changed {
  generation: { id: string; ownerId: string };
  /** Whether its owner's quota has changed, too. */
  quota: boolean;
  payload?: string;
}

/**
 * Hints that a generation has changed, has come or is gone. Call it after the commit. A hint that is lost costs its
 * subscribers seconds, and who asks at most as long as answers are kept, so that a failure here fails nothing.
 */
export async function notify(
  { bus, log }: { bus: Bus; log: Logger },
  { generation: { id, ownerId }, quota, payload = '' }: Changed,
): Promise<void> {
  const owner = { kind: 'entity', type: 'User', key: { id: ownerId } } as const;
  try {
    // First: what a hint is followed by is not to be read from before it.
    await publishInvalidations(bus, [
      { kind: 'entity', type: 'Generation', key: { id } },
      // Lists that it is not in, and may belong into now.
      { ...owner, subgraph: 'tts' },
      ...(quota ? [{ ...owner, subgraph: 'billing' }] : []),
    ]);
    await Promise.all([
      bus.publish(channels.generation(id), payload),
      quota ? bus.publish(channels.quota(ownerId), '') : undefined,
    ]);
  } catch (error) {
    log.warn({ err: error, generationId: id }, 'a hint was not published');
  }
}
