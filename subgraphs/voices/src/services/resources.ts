import type { Db } from '@timbre/db/client';
import type { Jobs } from '@timbre/db/jobs';
import type { Bus } from '@timbre/platform/bus/bus';
import { channels } from '@timbre/platform/bus/hints';
import { publishInvalidations } from '@timbre/platform/cache/invalidation';
import type { ObjectStore } from '@timbre/platform/storage/object-store';

/** What the rules of this domain work with; one of each per process. */
export interface Resources {
  db: Db;
  jobs: Jobs;
  bus: Bus;
  store: ObjectStore;
}

/**
 * Tells whoever follows this voice, or keeps something of it, to look again, whether it has changed, has come or is gone.
 * Call it after the commit: a hint carries no data.
 */
export async function announce(bus: Bus, { id, ownerId }: { id: string; ownerId: string }): Promise<void> {
  // First: what the hint is followed by is not to be read from before it.
  const voice = { kind: 'entity', type: 'Voice', key: { id } } as const;
  await publishInvalidations(bus, [
    { ...voice, subgraph: 'voices' },
    // Whose `node` looks whether it is there. What `tts` says of a voice it is given the status for.
    { ...voice, subgraph: 'users' },
    // Lists that it is not in, and may belong into now.
    { kind: 'entity', type: 'User', key: { id: ownerId }, subgraph: 'voices' },
  ]);
  await bus.publish(channels.voice(id), '');
}

/** The same of the library, which everybody sees. */
export async function announceLibrary(bus: Bus): Promise<void> {
  await publishInvalidations(bus, [{ kind: 'type', type: 'Voice', subgraph: 'voices' }]);
}
