import type { GenerationResolvers } from '../generated/types.ts';

export const Generation: GenerationResolvers = {
  __resolveReference: ({ id }) => ({ id }),
  charge: ({ id }, _args, { loaders }) => loaders.charge.load(id),
};
