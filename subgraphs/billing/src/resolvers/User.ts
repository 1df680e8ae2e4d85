import type { UserResolvers } from '../generated/types.ts';

/** What somebody has and uses is nobody else's business. */
export const User: UserResolvers = {
  __resolveReference: ({ id }) => ({ id }),
  plan: async ({ id }, _args, { viewerId, loaders }) =>
    id === viewerId ? (await loaders.account.load(id)).plan : null,
  async quota({ id }, _args, { viewerId, loaders, caching }) {
    if (id !== viewerId) return null;
    const { quota } = await loaders.account.load(id);
    // Another period begins for itself.
    caching.restrictUntil(quota.resetsAt);
    return quota;
  },
};
