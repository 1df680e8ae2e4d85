import type { UserResolvers } from '../generated/types.ts';

export const User: UserResolvers = {
  // Other people answer like missing ones: the loader gives nobody but the viewer.
  __resolveReference: ({ id }, { loaders }) => loaders.user.load(id),
  apiKeys: ({ id }, request, { pageOfKeys }) => pageOfKeys(id, request),
};
