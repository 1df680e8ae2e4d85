import { pageSize } from '@timbre/platform/cursor';
import type { GenerationResolvers } from '../generated/types.ts';
import { alignment } from '../services/alignment.ts';
import { atLeast } from '../services/bounds.ts';
import { limitChunks, limitGeneration } from '../services/caching.ts';
import { audioAsset, fairlyNewUntil } from '../services/media.ts';
import { priceOf } from '../services/price.ts';
import { progressOf } from '../services/progress.ts';

/** Most chunks of one page. */
const MAX_CHUNKS = 500;
const MAX_INDEX = 1_000_000_000;

export const Generation: GenerationResolvers = {
  async __resolveReference({ id }, { loaders, caching }) {
    const generation = await loaders.generation.load(id);
    limitGeneration(caching, generation);
    return generation;
  },
  text: ({ id }, _, { loaders }) => loaders.text.load(id),
  characterCount: ({ characters }) => characters,
  voice: ({ voiceId }) => ({ id: voiceId }),
  model: ({ modelId }, _, { deps }) => deps.models().find(({ id }) => id === modelId) ?? null,
  progress: (generation, _, { loaders }) => progressOf(loaders, generation),
  async chunks(generation, { first, afterIndex }, { loaders, caching }) {
    const { renderingId, rendering } = generation;
    limitChunks(caching, generation);
    const limit = pageSize(first, { max: MAX_CHUNKS });
    const after = afterIndex === undefined || afterIndex === null ? -1 : atLeast('afterIndex', 0, afterIndex);
    // Beyond any index there is, and still an integer to PostgreSQL with a page added to it.
    const fromIndex = Math.min(after, MAX_INDEX) + 1;
    const chunks = await loaders.chunks.load({ renderingId, fromIndex, limit });
    return chunks.map((chunk) => ({ ...chunk, sampleRate: rendering.sampleRate }));
  },
  async audio(generation, _, { deps, caching }) {
    const asset = await audioAsset(deps.store, generation);
    if (asset !== null) caching.restrictUntil(fairlyNewUntil(asset));
    return asset;
  },
  alignment: (generation, args, { loaders }) => alignment(loaders, generation, args),
  failure({ failureCode, failureMessage, failureRetryable, charactersDone, microCreditsPerCharacter }) {
    if (failureCode === null) return null;
    const charged = priceOf(charactersDone, microCreditsPerCharacter) > 0;
    return { code: failureCode, message: failureMessage ?? '', retryable: failureRetryable ?? false, charged };
  },
  owner: ({ ownerId }) => ({ id: ownerId }),
};
