import type { VoiceResolvers } from '../generated/types.ts';
import { limitVoice } from '../services/caching.ts';
import { consentStatement } from '../services/consent-statement.ts';

// Whoever gets hold of a row may see it (the loaders see to that); a library voice has no owner's part.
export const Voice: VoiceResolvers = {
  async __resolveReference({ id }, { loaders, caching }) {
    const voice = await loaders.voice.load(id);
    limitVoice(caching, voice);
    return voice;
  },
  previewUrl: (voice, _, { voices }) => voices.previewUrl(voice),
  owner: ({ ownerId }) => (ownerId === null ? null : { id: ownerId }),
  samples: ({ id, ownerId }, _, { loaders }) => (ownerId === null ? null : loaders.samples.load(id)),
  async consent({ id, name, ownerId }, _, { loaders }) {
    if (ownerId === null) return null;
    const given = await loaders.consent.load(id);
    return given ?? { state: 'MISSING', speakerName: '', ...consentStatement(name, null, 'en') };
  },
};
