import type { Tx } from '@timbre/db/client';
import type { Jobs } from '@timbre/db/jobs';
import { updateLockedVoice } from '../repos/voices.ts';
import { UPLOAD_SECONDS } from './limits.ts';
import { holdOwnVoice } from './own-voice.ts';
import { announce, type Resources } from './resources.ts';

/**
 * From the commit on nobody can see or use the voice; a job removes its objects, then its rows.
 * @throws Refused with ValidationError.
 */
export async function deleteVoice({ db, jobs, bus }: Resources, viewerId: string, voiceId: string): Promise<string> {
  await db.transaction(async (tx) => {
    const voice = await holdOwnVoice(tx, viewerId, voiceId, ['voiceId']);
    await updateLockedVoice(tx, voice.id, { status: 'DELETING', fitting: null });
    await enqueueClean(jobs, tx, voice.ownerId, voice.id);
  });
  await announce(bus, { id: voiceId, ownerId: viewerId });
  return voiceId;
}

/** Twice: an upload address that is still out could be used once more after the first time. */
export async function enqueueClean(jobs: Jobs, tx: Tx, ownerId: string, voiceId: string): Promise<void> {
  await jobs.enqueue(tx, 'voices.clean', { ownerId, voiceId });
  await jobs.enqueue(tx, 'voices.clean', { ownerId, voiceId }, { startAfterSeconds: UPLOAD_SECONDS + 60 });
}
