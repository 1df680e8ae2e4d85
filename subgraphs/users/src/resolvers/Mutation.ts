import type { MutationResolvers } from '../generated/types.ts';

export const Mutation: MutationResolvers = {
  updateProfile: (_, { input }, { updateProfile }) => updateProfile(input),
  createApiKey: (_, { input }, { createApiKey }) => createApiKey(input),
  revokeApiKey: (_, { id }, { revokeApiKey }) => revokeApiKey(id),
  endSession: (_, { everywhere }, { endSession }) => endSession(everywhere),
  blockUser: (_, { id, blocked }, { blockUser }) => blockUser(id, blocked),
};
