import type { MutationResolvers } from '../generated/types.ts';

export const Mutation: MutationResolvers = {
  updateProfile: (_, { input }, { updateProfile }) => updateProfile(input),
};
