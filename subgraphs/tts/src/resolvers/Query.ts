import { requireViewer } from '@timbre/platform/viewer';
import type { QueryResolvers } from '../generated/types.ts';
import { limitGeneration } from '../services/caching.ts';
import { estimateGeneration } from '../services/estimate-generation.ts';

export const Query: QueryResolvers = {
  models: (_, __, { deps }) => [...deps.models()],
  async generation(_, { id }, { loaders, caching }) {
    const generation = await loaders.generation.load(id);
    limitGeneration(caching, generation);
    return generation;
  },
  estimateGeneration: (_, { input }, { deps, identity }) => estimateGeneration(deps, requireViewer(identity), input),
};
