import type { UserResolvers } from '../generated/types.ts';
import { limitVoice } from '../services/caching.ts';

export const User: UserResolvers = {
  __resolveReference: ({ id }) => ({ id }),
  // A person's voices are nobody else's business: for another user there is no list, not an empty one.
  async voices({ id }, args, { viewerId, voices, caching }) {
    if (id !== viewerId) return null;
    const page = await voices.page({ of: 'owner', viewerId }, args);
    for (const { node } of page.edges) limitVoice(caching, node);
    return page;
  },
};
