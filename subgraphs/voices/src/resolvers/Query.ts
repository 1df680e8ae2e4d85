import type { QueryResolvers } from '../generated/types.ts';

export const Query: QueryResolvers = {
  voice: (_, { id }, { loaders }) => loaders.voice.load(id),
  voiceLibrary: (_, args, { voices }) => voices.page({ of: 'library' }, args),
};
