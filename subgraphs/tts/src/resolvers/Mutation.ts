import { requireViewer } from '@timbre/platform/viewer';
import type { Context } from '../context.ts';
import type { MutationResolvers } from '../generated/types.ts';
import { spenderOf } from '../services/admit.ts';
import { cancelGeneration } from '../services/cancel-generation.ts';
import { deleteGenerations } from '../services/delete-generations.ts';
import { generateSpeech, type Started } from '../services/generate-speech.ts';
import { retryFailedChunks } from '../services/retry-failed-chunks.ts';

export const Mutation: MutationResolvers = {
  async generateSpeech(_, { input }, context) {
    const { settings, maxCredits = null, format = 'MP3_44100_128', ...rest } = input;
    const request = { ...rest, format, maxCredits, speed: settings?.speed ?? 1 };
    return started(context, await generateSpeech(context.deps, spenderOf(context.identity), request));
  },

  async retryFailedChunks(_, { id, idempotencyKey }, context) {
    const spender = spenderOf(context.identity);
    return started(context, await retryFailedChunks(context.deps, spender, id, idempotencyKey));
  },

  async cancelGeneration(_, { id }, { deps, identity, loaders }) {
    const { generationId, errors } = await cancelGeneration(deps, requireViewer(identity), id);
    return { generation: generationId === null ? null : await loaders.generation.load(generationId), errors };
  },

  deleteGenerations: (_, { ids }, { deps, identity }) => deleteGenerations(deps, requireViewer(identity), ids),
};

async function started({ loaders }: Context, { generationId, replayed, errors }: Started) {
  const generation = generationId === null ? null : await loaders.generation.load(generationId);
  return { generation, replayed, errors: [...errors] };
}
