import type { UserResolvers } from '../generated/types.ts';

export const User: UserResolvers = {
  __resolveReference: ({ id }) => ({ id }),
  // A person's voices are nobody else's business: for another user there is no list, not an empty one.
  voices: ({ id }, args, { viewerId, voices }) =>
    id === viewerId ? voices.page({ of: 'owner', viewerId }, args) : null,
};
