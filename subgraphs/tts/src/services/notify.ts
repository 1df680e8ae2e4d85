import type { Bus } from '@timbre/platform/bus/bus';
import { channels } from '@timbre/platform/bus/hints';
import { publishInvalidations } from '@timbre/platform/cache/invalidation';
import type { Logger } from '@timbre/platform/logger';

/** Tells a running worker to stop at once; any other payload only says "look again". */
export const CANCELED_HINT = 'canceled';

/**
 * Hints that a generation, and with `ownerId` that owner's quota, has changed. Call it after the commit. A hint that
 * is lost costs its subscribers seconds, so that a failure here fails nothing.
 */
export async function notify(
  { bus, log }: { bus: Bus; log: Logger },
  generationId: string,
  { ownerId, payload = '' }: { ownerId?: string; payload?: string } = {},
): Promise<void> {
  try {
    // First: what a hint is followed by is not to be read from before it.
    await publishInvalidations(bus, [{ kind: 'entity', type: 'Generation', key: { id: generationId } }]);
    await Promise.all([
      bus.publish(channels.generation(generationId), payload),
      ownerId === undefined ? undefined : bus.publish(channels.quota(ownerId), ''),
    ]);
  } catch (error) {
    log.warn({ err: error, generationId }, 'a hint was not published');
  }
}
