import { setTimeout as delay } from 'node:timers/promises';
import { channels } from '@timbre/platform/bus/hints';
import { readChunksFrom } from '../repos/chunks.ts';
import { readOwnGenerations } from '../repos/generations.ts';
import type { SoundingChunkRow } from '../rows.ts';
import { CANCELED_HINT, notify } from '../services/notify.ts';
import type { Ending } from '../services/transitions.ts';
import { describeFailure, RunOver, VOICE_UNAVAILABLE } from './chunk-failure.ts';
import { joinChunks } from './join-chunks.ts';
import type { Parts } from './parts.ts';
import { patiently, rootCause } from '../patiently.ts';
import { recordEnd, recordFailure } from './record.ts';
import { beginRun, type Run, type RunChunk } from './run.ts';
import type { Lane } from './scheduler.ts';
import { chunkEnds, speakChunk, VoiceGone } from './speak-chunk.ts';

/** Times that a chunk is tried in one run before it is given up. */
const MAX_TRIES = 4;
const BACKOFF_MS = 250;

/**
 * Brings a generation to its end, from wherever it is: finished chunks are kept, the others spoken, all of them joined.
 * Returns when there is nothing (more) to do, which includes that it was canceled or taken over meanwhile.
 * @throws what another run may get over; the signal's reason when it aborts.
 */
export async function runGeneration(parts: Parts, generationId: string, jobSignal: AbortSignal): Promise<void> {
  const { db, bus, scheduler, log } = parts;
  const over = new AbortController();
  const signal = AbortSignal.any([jobSignal, over.signal]);
  const unsubscribe = bus
    .subscribe(channels.generation(generationId), (payload) => {
      if (payload === CANCELED_HINT) over.abort(new RunOver());
    })
    // Without the hint, a cancellation is noticed when the next chunk is to be written.
    .catch(() => async () => {});
  try {
    const run = await patiently({ log, signal }, () => beginRun(db, generationId));
    if (!run) return;
    const { ownerId } = run.generation;
    await notify(parts, { generation: run.generation, quota: false });
    const unheard = run.chunks.every(({ state }) => state !== 'SUCCEEDED');
    const lane = scheduler.open({ tenant: ownerId, unheard });
    const close = () => lane.close(toError(signal.reason));
    signal.addEventListener('abort', close, { once: true });
    try {
      await speakAll(parts, run, lane, signal);
    } catch (error) {
      over.abort(error);
      throw error;
    } finally {
      signal.removeEventListener('abort', close);
      lane.close(new RunOver());
    }
    await finish(parts, run, signal);
  } catch (error) {
    if (error instanceof RunOver) return;
    throw error;
  } finally {
    void unsubscribe.then((end) => end()).catch(() => {});
  }
}

/** Speaks every chunk that is neither done nor given up; each ends as one of the two, or the run ends. */
async function speakAll(parts: Parts, run: Run, lane: Lane, signal: AbortSignal): Promise<void> {
  const ends = chunkEnds(run.text);
  let voiceGone = false;

  async function speak(chunk: RunChunk): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await lane.run(() => speakChunk(parts, run, chunk, ends, signal));
      } catch (error) {
        if (voiceGone) return;
        if (error instanceof RunOver || signal.aborted) throw error;
        if (error instanceof VoiceGone) {
          voiceGone = true;
          await giveUp(parts, run, null, VOICE_UNAVAILABLE, signal);
          lane.close(error);
          return;
        }
        const failure = describeFailure(error);
        parts.metrics.chunkFailures.inc({ code: failure.code });
        parts.log.warn(
          { err: rootCause(error), generationId: run.generation.id, chunk: chunk.index, tries },
          'a chunk failed',
        );
        if (!failure.retryable || tries >= MAX_TRIES) return giveUp(parts, run, [chunk.index], failure, signal);
        await delay(BACKOFF_MS * 2 ** (tries - 1) * (0.75 + Math.random() / 2), undefined, { signal });
      }
    }
  }

  await Promise.all(run.chunks.filter(({ state }) => state === 'QUEUED').map(speak));
}

async function giveUp(
  parts: Parts,
  run: Run,
  indexes: readonly number[] | null,
  failure: typeof VOICE_UNAVAILABLE,
  signal: AbortSignal,
): Promise<void> {
  await patiently({ log: parts.log, signal }, () => recordFailure(parts.db, run, indexes, failure));
  await notify(parts, { generation: run.generation, quota: false });
}

async function finish(parts: Parts, run: Run, signal: AbortSignal): Promise<void> {
  const { db, store, metrics, log } = parts;
  const { id, ownerId, renderingId, chunksTotal } = run.generation;
  const patience = { log, signal };
  const chunks = await patiently(patience, () => readChunksFrom(db, renderingId, 0, chunksTotal));
  const spoken = chunks.filter(({ state }) => state === 'SUCCEEDED');
  const [row] = await patiently(patience, () => readOwnGenerations(db, ownerId, [id]));
  const sampleRate = row?.rendering.sampleRate ?? null;
  const audio =
    spoken.length === 0 || sampleRate === null ? null : await joinChunks(parts, run, spoken, sampleRate, signal);
  const ending = endingOf(chunks, spoken.length);
  try {
    await patiently(patience, () => recordEnd(parts, run, ending, audio));
  } catch (error) {
    // Canceled while it was encoded: nobody will ever ask for it.
    if (error instanceof RunOver && audio) await store.delete([audio.key]);
    throw error;
  }
  metrics.ended.inc({ state: ending.state });
  await notify(parts, { generation: run.generation, quota: true });
}

function endingOf(chunks: readonly SoundingChunkRow[], spoken: number): Ending {
  const failed = chunks.filter(({ state }) => state !== 'SUCCEEDED');
  const [first] = failed;
  if (!first) return { state: 'SUCCEEDED' };
  const what = `${String(failed.length)} of ${String(chunks.length)} chunks could not be spoken`;
  const failure = {
    code: first.failureCode ?? 'INTERNAL_SERVER_ERROR',
    message: `${what}: ${first.failureMessage ?? 'no reason is known.'}`,
    retryable: failed.every(({ failureRetryable }) => failureRetryable === true),
  };
  return { state: spoken > 0 ? 'PARTIALLY_FAILED' : 'FAILED', failure };
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
