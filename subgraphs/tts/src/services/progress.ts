import type { Loaders } from '../loaders.ts';
import type { GenerationRow, ProgressRow } from '../rows.ts';

/** A generation's progress as of now. */
export async function progressOf(loaders: Loaders, generation: GenerationRow): Promise<ProgressRow> {
  const { id, state, charactersDone, characters, chunksDone, chunksTotal } = generation;
  return {
    charactersDone,
    charactersTotal: characters,
    chunksDone,
    chunksTotal,
    queuePosition: state === 'QUEUED' ? await loaders.queuePosition.load(id) : null,
  };
}
