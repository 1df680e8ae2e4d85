import type { QueryResolvers } from '../generated/types.ts';

export const Query: QueryResolvers = {
  me: (_, _args, { viewer }) => viewer(),
  node: (_, { id }, { findNode }) => findNode(id),
};
