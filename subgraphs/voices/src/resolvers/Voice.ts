import type { VoiceResolvers } from '../generated/types.ts';
import { consentStatement } from '../services/consent-statement.ts';

// Whoever gets hold of a row may see it (the loaders see to that); a library voice has no owner's part.
export const Voice: VoiceResolvers = {
  __resolveReference: ({ id }, { loaders }) => loaders.voice.load(id),
  previewUrl: (voice, _, { voices }) => voices.previewUrl(voice),
  owner: ({ ownerId }) => (ownerId === null ? null : { id: ownerId }),
  samples: ({ id, ownerId }, _, { loaders }) => (ownerId === null ? null : loaders.samples.load(id)),
  async consent({ id, name, ownerId }, _, { loaders }) {
    if (ownerId === null) return null;
    const given = await loaders.consent.load(id);
    return given ?? { state: 'MISSING', speakerName: '', ...consentStatement(name, null, 'en') };
  },
};
