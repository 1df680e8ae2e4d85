import type { UserResolvers } from '../generated/types.ts';

export const User: UserResolvers = {
  // Other people are known by their id alone, so that what refers to them does not fail; `me` and `node` give one's own.
  __resolveReference: ({ id }, { loaders }) => loaders.user.load(id),
};
