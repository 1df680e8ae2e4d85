import type { UserResolvers } from '../generated/types.ts';
import { listGenerations } from '../services/list-generations.ts';

export const User: UserResolvers = {
  __resolveReference: ({ id }) => ({ id }),
  // A person's generations are nobody else's business: for another user there is no list, not an empty one.
  generations: ({ id }, args, { deps, viewerId }) => (id === viewerId ? listGenerations(deps.db, id, args) : null),
};
