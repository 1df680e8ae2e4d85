import type { Db } from '@timbre/db/client';
import type { QueuePayload } from '@timbre/db/queues';
import type { ObjectStore } from '@timbre/platform/storage/object-store';
import { markChunkAudioDiscarded } from '../repos/renderings.ts';
import { chunksPrefix } from '../services/object-keys.ts';

/** Removes objects whose rows are gone. */
export async function clean(store: ObjectStore, { prefixes, keys }: QueuePayload<'tts.clean'>): Promise<void> {
  for (const prefix of prefixes) await store.deletePrefix(prefix);
  await store.delete(keys);
}

/** Removes the chunks' own files, the whole being stored. Marked first: nobody is sent to a file that is about to go. */
export async function discardChunks(db: Db, store: ObjectStore, renderingId: string): Promise<void> {
  const rendering = await markChunkAudioDiscarded(db, renderingId);
  if (rendering) await store.deletePrefix(chunksPrefix(rendering.ownerId, renderingId));
}
