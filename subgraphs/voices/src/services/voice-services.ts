import DataLoader from 'dataloader';
import type { Visibility } from '../repos/voice-scope.ts';
import { countVoices, readProgress } from '../repos/voices.ts';
import type { VoicePage, VoiceRow } from '../rows.ts';
import { beginClone } from './begin-clone.ts';
import { deleteVoice } from './delete-voice.ts';
import { finalizeClone } from './finalize-clone.ts';
import { followVoice, type Following } from './follow-voice.ts';
import { PREVIEW_SECONDS } from './limits.ts';
import { pageOfVoices, type PageRequest } from './list-voices.ts';
import { outcome } from './refusals.ts';
import type { Resources } from './resources.ts';
import { revokeConsent } from './revoke-consent.ts';
import { submitConsent } from './submit-consent.ts';
import { updateVoice } from './update-voice.ts';

export type VoiceServices = ReturnType<typeof createVoiceServices>;

/** The rules of this domain over their resources; what a client can act on comes back as data. */
export function createVoiceServices(resources: Resources) {
  const { db, store } = resources;
  const progress = new DataLoader((ids: readonly string[]) => readProgress(db, ids), { cache: false });
  type Rest<F> = F extends (resources: Resources, ...rest: infer R) => unknown ? R : never;
  return {
    begin: (...rest: Rest<typeof beginClone>) => outcome(() => beginClone(resources, ...rest)),
    submitConsent: (...rest: Rest<typeof submitConsent>) => outcome(() => submitConsent(resources, ...rest)),
    finalize: (...rest: Rest<typeof finalizeClone>) => outcome(() => finalizeClone(resources, ...rest)),
    update: (...rest: Rest<typeof updateVoice>) => outcome(() => updateVoice(resources, ...rest)),
    revokeConsent: (...rest: Rest<typeof revokeConsent>) => outcome(() => revokeConsent(resources, ...rest)),
    delete: (...rest: Rest<typeof deleteVoice>) => outcome(() => deleteVoice(resources, ...rest)),
    follow: (following: Following) => followVoice({ ...resources, progress }, following),
    page: (visibility: Visibility, request: PageRequest) => pageOfVoices(db, visibility, request),
    count: async ({ scope, all }: VoicePage) => all ?? countVoices(db, scope),
    /** Signed, for an hour; null until there is a preview. */
    async previewUrl({ previewKey }: VoiceRow): Promise<string | null> {
      if (previewKey === null) return null;
      const signed = await store.downloadUrl({
        key: previewKey,
        contentType: 'audio/mpeg',
        expiresInSeconds: PREVIEW_SECONDS,
      });
      return signed.url;
    },
  };
}
