import type { QueryResolvers } from '../generated/types.ts';

const UNTOLD_SECONDS = 10;

export const Query: QueryResolvers = {
  me: (_, _args, { viewer }) => viewer(),
  async node(_, { id }, { findNode, caching }) {
    const node = await findNode(id);
    // Of a voice or a generation whatever changes is told.
    if (node?.__typename !== 'Voice' && node?.__typename !== 'Generation') caching.restrict(UNTOLD_SECONDS);
    return node;
  },
};
