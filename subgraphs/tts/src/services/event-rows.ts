import { readChunksAt } from '../repos/chunks.ts';
import type { StoredEvent } from '../repos/events.ts';
import type { EventRow, GenerationRow, ProgressRow, SoundingChunkRow } from '../rows.ts';
import type { Deps } from './deps.ts';
import { chunkAudioUrl } from './media.ts';
import { tokensOf } from './tokens.ts';

/**
 * Stored events as the graph shows them; what chunk events need besides is read once for all of them. `text` is asked
 * only where there are such.
 */
export async function toEventRows(
  deps: Deps,
  generation: GenerationRow,
  events: readonly StoredEvent[],
  text: () => Promise<string>,
): Promise<EventRow[]> {
  const indexes = events.flatMap(({ payload }) => ('index' in payload ? [payload.index] : []));
  const chunks = await readChunksAt(deps.db, generation.renderingId, indexes);
  const spoken = indexes.length === 0 ? '' : await text();
  return Promise.all(events.map((event) => toEventRow(deps, generation, event, chunks, spoken)));
}

async function toEventRow(
  { store }: Deps,
  generation: GenerationRow,
  { sequence, kind, payload }: StoredEvent,
  chunks: ReadonlyMap<number, SoundingChunkRow>,
  text: string,
): Promise<EventRow> {
  if ('index' in payload) {
    const chunk = chunks.get(payload.index);
    if (!chunk) throw new Error(`Chunk ${payload.index} of ${generation.id} is not there.`);
    const { charStart, charEnd, audioKey } = chunk;
    const place = {
      startSample: payload.startSample,
      sampleCount: payload.sampleCount,
      sampleRate: payload.sampleRate,
    };
    const { index, attempts } = payload;
    return {
      __typename: 'GenerationChunkReady',
      sequence,
      generation,
      chunk: { index, attempts, state: 'SUCCEEDED', charStart, charEnd, ...place },
      audioUrl: await chunkAudioUrl(store, generation, { audioKey, ...place }),
      tokens: tokensOf(text, { charStart, charEnd, words: chunk.words ?? [], ...place }, 'WORD'),
    };
  }
  if ('chunksTotal' in payload) {
    const { state, ...progress } = payload;
    return {
      __typename: 'GenerationProgressed',
      sequence,
      generation,
      state,
      progress: progress satisfies ProgressRow,
    };
  }
  if (kind !== 'FINISHED') throw new Error(`Event ${sequence} of ${generation.id} is not what its kind says.`);
  return { __typename: 'GenerationFinished', sequence, generation, state: payload.state };
}
