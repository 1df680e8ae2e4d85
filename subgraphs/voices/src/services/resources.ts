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

/** Tells whoever follows this voice, or keeps something of it, to look again. Call it after the commit: a hint carries no data. */
export async function announce(bus: Bus, voiceId: string): Promise<void> {
  // First: what the hint is followed by is not to be read from before it.
  await publishInvalidations(bus, [{ kind: 'entity', type: 'Voice', key: { id: voiceId } }]);
  await bus.publish(channels.voice(voiceId), '');
}
