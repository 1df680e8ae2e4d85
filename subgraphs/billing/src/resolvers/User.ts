import type { UserResolvers } from '../generated/types.ts';

/** What somebody has and uses is nobody else's business. */
export const User: UserResolvers = {
  __resolveReference: ({ id }) => ({ id }),
  plan: ({ id }, _args, { viewerId, loaders }) => (id === viewerId ? loaders.plan.load(id) : null),
  quota: ({ id }, _args, { viewerId, loaders }) => (id === viewerId ? loaders.quota.load(id) : null),
};
