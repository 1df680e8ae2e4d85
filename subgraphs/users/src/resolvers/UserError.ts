import type { UserErrorResolvers } from '../generated/types.ts';

export const UserError: UserErrorResolvers = {
  __resolveType: () => 'ValidationError',
};
