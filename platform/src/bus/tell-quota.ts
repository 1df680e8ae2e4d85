import { publishInvalidations } from '../cache/invalidation.ts';
import type { Bus } from './bus.ts';
import { channels } from './hints.ts';

/** Tells whoever follows a user's quota or plan, or keeps something of it, to look again. Call it after the commit. */
export async function tellQuota(bus: Bus, userId: string): Promise<void> {
  // First: what the hint is followed by is not to be read from before it.
  await publishInvalidations(bus, [{ kind: 'entity', type: 'User', key: { id: userId }, subgraph: 'billing' }]);
  await bus.publish(channels.quota(userId), '');
}
