import type { ApiKeyResolvers } from '../generated/types.ts';

export const ApiKey: ApiKeyResolvers = {
  __resolveReference: ({ id }, { loaders }) => loaders.apiKey.load(id),
  prefix: ({ id }, _args, { prefixOf }) => prefixOf(id),
};
