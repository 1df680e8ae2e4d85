import type { QueryResolvers } from '../generated/types.ts';
import { limitVoice } from '../services/caching.ts';

export const Query: QueryResolvers = {
  async voice(_, { id }, { loaders, caching }) {
    const voice = await loaders.voice.load(id);
    limitVoice(caching, voice);
    return voice;
  },
  voiceLibrary: (_, args, { voices }) => voices.page({ of: 'library' }, args),
};
