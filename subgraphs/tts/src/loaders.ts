import type { Db } from '@timbre/db/client';
import { isId } from '@timbre/platform/ids';
import DataLoader from 'dataloader';
import { readChunkPages, readPlacedChunks, type PlacedChunkRow } from './repos/chunk-pages.ts';
import { readVoicePages } from './repos/generation-pages.ts';
import { readOwnGenerations, readQueuePositions, readTexts } from './repos/generations.ts';
import type { GenerationRow, SoundingChunkRow } from './rows.ts';

interface ChunkPageKey {
  renderingId: string;
  fromIndex: number;
  limit: number;
}

interface PlacedChunksKey {
  renderingId: string;
  fromChar: number;
}

interface VoicePageKey {
  voiceId: string;
  limit: number;
  afterId: string | null;
}

export interface Loaders {
  /** Null for a missing one and a stranger's alike. */
  generation: DataLoader<string, GenerationRow | null>;
  text: DataLoader<string, string | null>;
  queuePosition: DataLoader<string, number>;
  chunks: DataLoader<ChunkPageKey, SoundingChunkRow[], string>;
  /** The next few chunks that reach beyond a character and whose place in the sound is known. */
  placedChunks: DataLoader<PlacedChunksKey, PlacedChunkRow[], string>;
  voiceGenerations: DataLoader<VoicePageKey, GenerationRow[], string>;
}

/** One loader per read, for one request of one viewer. */
export function createLoaders(db: Db, viewerId: string | null): Loaders {
  return {
    generation: new DataLoader(async (ids) => {
      const wellFormed = viewerId === null ? [] : ids.filter((id) => isId('gen', id));
      const rows = wellFormed.length === 0 ? [] : await readOwnGenerations(db, viewerId ?? '', wellFormed);
      const byId = new Map(rows.flatMap((row) => (row ? [[row.id, row]] : [])));
      return ids.map((id) => byId.get(id) ?? null);
    }),
    text: new DataLoader((ids) => readTexts(db, ids)),
    queuePosition: new DataLoader((ids) => readQueuePositions(db, ids)),
    chunks: new DataLoader((keys) => readChunkPages(db, keys), { cacheKeyFn: JSON.stringify }),
    placedChunks: new DataLoader((keys) => readPlacedChunks(db, keys), { cacheKeyFn: JSON.stringify }),
    voiceGenerations: new DataLoader(
      (keys) =>
        byArguments(keys, (voiceIds, page) =>
          viewerId === null ? Promise.resolve(voiceIds.map(() => [])) : readVoicePages(db, viewerId, voiceIds, page),
        ),
      { cacheKeyFn: JSON.stringify },
    ),
  };
}

/** One read for all keys with the same page: within an operation nearly always all of them. */
async function byArguments(
  keys: readonly VoicePageKey[],
  read: (voiceIds: string[], page: Omit<VoicePageKey, 'voiceId'>) => Promise<GenerationRow[][]>,
): Promise<GenerationRow[][]> {
  const groups = Map.groupBy(keys, ({ limit, afterId }) => JSON.stringify([limit, afterId]));
  const found = new Map<VoicePageKey, GenerationRow[]>();
  await Promise.all(
    [...groups.values()].map(async (group) => {
      const [sample] = group;
      if (!sample) return;
      const pages = await read(
        group.map(({ voiceId }) => voiceId),
        { limit: sample.limit, afterId: sample.afterId },
      );
      group.forEach((key, i) => found.set(key, pages[i] ?? []));
    }),
  );
  return keys.map((key) => found.get(key) ?? []);
}
