import type { ModelResolvers } from '../generated/types.ts';

export const Model: ModelResolvers = {
  __resolveReference: ({ id }, { deps }) => deps.models().find((model) => model.id === id) ?? null,
};
