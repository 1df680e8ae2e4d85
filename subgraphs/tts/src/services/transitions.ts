import { commitTotal } from '@timbre/db/ledger/settle';
import type { Tx } from '@timbre/db/client';
import type { GenerationState } from '@timbre/db/tts/tables';
import { cancelChunks, placeChunks, readChunksFrom } from '../repos/chunks.ts';
import { appendEvents, type EventDraft } from '../repos/events.ts';
import type { GenerationRow } from '../rows.ts';
import { priceOf } from './price.ts';

/** A generation's counters as an event tells them. */
export function progressEvent(
  generation: Pick<GenerationRow, 'characters' | 'charactersDone' | 'chunksDone' | 'chunksTotal'>,
  state: GenerationState,
  queuePosition: number | null = null,
): EventDraft {
  return {
    kind: 'PROGRESSED',
    payload: {
      state,
      charactersDone: generation.charactersDone,
      charactersTotal: generation.characters,
      chunksDone: generation.chunksDone,
      chunksTotal: generation.chunksTotal,
      queuePosition,
    },
  };
}

const PLACES_PER_READ = 64;

/**
 * Gives every chunk its place in the joined sound, from the first one without a place up to the first one that is
 * neither done nor given up; a chunk that was given up takes no time. The generation must be locked. Returns the
 * events of those that had none yet: chunks are announced in the text's order, so that their times are known.
 */
export async function placeReadyChunks(
  tx: Tx,
  { rendering }: GenerationRow,
  sampleRate: number,
): Promise<EventDraft[]> {
  const announcements: EventDraft[] = [];
  const places: { index: number; startSample: number }[] = [];
  let { joinedChunks, joinedSamples } = rendering;
  for (;;) {
    const rows = await readChunksFrom(tx, rendering.id, joinedChunks, PLACES_PER_READ);
    const before = joinedChunks;
    for (const chunk of rows) {
      if (chunk.state !== 'SUCCEEDED' && chunk.state !== 'FAILED') break;
      places.push({ index: chunk.index, startSample: joinedSamples });
      joinedChunks += 1;
      if (chunk.state === 'FAILED') continue;
      const sampleCount = chunk.sampleCount ?? 0;
      if (!chunk.announced) {
        const { index, attempts } = chunk;
        const payload = { index, attempts, startSample: joinedSamples, sampleCount, sampleRate };
        announcements.push({ kind: 'CHUNK_READY', payload });
      }
      joinedSamples += sampleCount;
    }
    if (joinedChunks - before < PLACES_PER_READ) break;
  }
  await placeChunks(tx, rendering.id, places, { joinedChunks, joinedSamples, sampleRate });
  return announcements;
}

/** Charges what is done so far: the running total over the characters, so that saying it again changes nothing. */
export async function chargeDone(tx: Tx, generation: GenerationRow): Promise<void> {
  const totalCredits = priceOf(generation.charactersDone, generation.microCreditsPerCharacter);
  await commitTotal(tx, { generationId: generation.id, totalCredits });
}

export interface Ending {
  state: Exclude<GenerationState, 'QUEUED' | 'RUNNING'>;
  failure?: { code: string; message: string; retryable: boolean } | null;
}

/** Writes the end of a locked generation: state, what was left undone, and the event that closes its streams. */
export async function endGeneration(
  tx: Tx,
  generation: GenerationRow,
  { state, failure = null }: Ending,
): Promise<void> {
  await cancelChunks(tx, generation.renderingId);
  await appendEvents(tx, generation.id, [{ kind: 'FINISHED', payload: { state } }], {
    state,
    runToken: null,
    completedAt: new Date(),
    failureCode: failure?.code ?? null,
    failureMessage: failure?.message ?? null,
    failureRetryable: failure?.retryable ?? null,
  });
}
