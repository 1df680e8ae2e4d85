import type { UserResolvers } from '../generated/types.ts';

/** What somebody has and uses is nobody else's business. */
export const User: UserResolvers = {
  __resolveReference: ({ id }) => ({ id }),
  plan: ({ id }, _args, { viewerId, loaders }) => (id === viewerId ? loaders.plan.load(id) : null),
  async quota({ id }, _args, { viewerId, loaders, caching }) {
    if (id !== viewerId) return null;
    const quota = await loaders.quota.load(id);
    // Another period begins for itself.
    caching.restrictUntil(quota.resetsAt);
    return quota;
  },
};
