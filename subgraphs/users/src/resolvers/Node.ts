import type { NodeResolvers } from '../generated/types.ts';

export const Node: NodeResolvers = {
  __resolveType: (node) => ('__typename' in node ? node.__typename : 'User'),
};
