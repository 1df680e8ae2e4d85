import type { Loaders } from '../loaders.ts';
import type { GenerationRow, ProgressRow } from '../rows.ts';

/** A generation's progress as of now; at once where it does not depend on others, as in most rows of a list. */
export function progressOf(loaders: Loaders, generation: GenerationRow): ProgressRow | Promise<ProgressRow> {
  const { id, state, charactersDone, characters, chunksDone, chunksTotal } = generation;
  const progress = { charactersDone, charactersTotal: characters, chunksDone, chunksTotal };
  if (state !== 'QUEUED') return { ...progress, queuePosition: null };
  return loaders.queuePosition.load(id).then((queuePosition) => ({ ...progress, queuePosition }));
}
