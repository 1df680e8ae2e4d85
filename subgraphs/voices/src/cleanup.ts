import type { Db } from '@timbre/db/client';
import type { ObjectStore } from '@timbre/platform/storage/object-store';
import { deleteRows, readVoice } from './repos/unattended.ts';
import { voicePrefix } from './services/object-keys.ts';

/**
 * Removes what nobody may keep any longer: of a voice that is being deleted its objects and then its
 * rows, of one that failed for good its objects. Objects go first, since the rows are what a retry
 * finds them by. Doing it again changes nothing.
 */
export async function cleanVoice(
  { db, store }: { db: Db; store: ObjectStore },
  { ownerId, voiceId }: { ownerId: string; voiceId: string },
): Promise<void> {
  const found = await readVoice(db, voiceId);
  if (found !== null && !isOver(found.voice)) return;
  await store.deletePrefix(voicePrefix(ownerId, voiceId));
  await deleteRows(db, voiceId);
}

function isOver({ status, failure }: { status: string; failure: { retryable: boolean } | null }): boolean {
  return status === 'DELETING' || (status === 'FAILED' && failure?.retryable === false);
}
