import type { UserResolvers } from '../generated/types.ts';
import { limitList } from '../services/caching.ts';
import { listGenerations } from '../services/list-generations.ts';

export const User: UserResolvers = {
  __resolveReference: ({ id }) => ({ id }),
  // A person's generations are nobody else's business: for another user there is no list, not an empty one.
  async generations({ id }, args, { deps, viewerId, caching }) {
    if (id !== viewerId) return null;
    const page = await listGenerations(deps.db, id, args);
    limitList(
      caching,
      page.edges.map(({ node }) => node),
    );
    return page;
  },
};
