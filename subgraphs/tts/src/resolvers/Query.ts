import { requireViewer } from '@timbre/platform/viewer';
import type { QueryResolvers } from '../generated/types.ts';
import { estimateGeneration } from '../services/estimate-generation.ts';

export const Query: QueryResolvers = {
  models: (_, __, { deps }) => [...deps.models()],
  generation: (_, { id }, { loaders }) => loaders.generation.load(id),
  estimateGeneration: (_, { input }, { deps, identity }) => estimateGeneration(deps, requireViewer(identity), input),
};
