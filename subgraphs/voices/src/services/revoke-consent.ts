import { findConsents, setConsentState } from '../repos/consents.ts';
import { updateLockedVoice } from '../repos/voices.ts';
import type { VoiceRow } from '../rows.ts';
import { enqueueClean } from './delete-voice.ts';
import { holdOwnVoice } from './own-voice.ts';
import { invalid, Refused } from './refusals.ts';
import { announce, type Resources } from './resources.ts';

/**
 * The speaker takes their word back: the voice loses its profile in the same transaction and can
 * never speak again, the recordings and the preview are removed by a job. What stays is the record
 * of it, a FAILED voice with CONSENT_REVOKED, until its owner deletes it. Revoking twice changes nothing.
 *
 * @throws Refused with ValidationError.
 */
export async function revokeConsent(
  { db, jobs, bus }: Resources,
  viewerId: string,
  voiceId: string,
): Promise<VoiceRow> {
  const revoked = await db.transaction(async (tx) => {
    const voice = await holdOwnVoice(tx, viewerId, voiceId, ['voiceId']);
    const [consent] = await findConsents(tx, viewerId, [voice.id]);
    if (consent === null || consent === undefined) {
      throw new Refused(invalid('CONSENT_MISSING', ['voiceId'], 'There is no consent to revoke: none was submitted.'));
    }
    if (consent.state === 'REVOKED') return voice;
    await setConsentState(tx, voice.id, 'REVOKED');
    await enqueueClean(jobs, tx, voice.ownerId, voice.id);
    return updateLockedVoice(tx, voice.id, {
      status: 'FAILED',
      failure: { code: 'CONSENT_REVOKED', message: 'The speaker’s consent was revoked.', retryable: false },
      profile: null,
      revision: voice.revision + 1,
      match: null,
      fitting: null,
      previewKey: null,
    });
  });
  await announce(bus, { id: voiceId, ownerId: viewerId });
  return revoked;
}
