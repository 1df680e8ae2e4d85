import type { Db, Tx } from '@timbre/db/client';
import { settle } from '@timbre/db/ledger/settle';
import type { Jobs } from '@timbre/db/jobs';
import { failChunks, readChunksAt, succeedChunk, type ChunkFailure, type ChunkSound } from '../repos/chunks.ts';
import { appendEvents } from '../repos/events.ts';
import { lockGeneration } from '../repos/generations.ts';
import { publishRendering, updateRendering } from '../repos/renderings.ts';
import type { GenerationRow } from '../rows.ts';
import { chargeDone, endGeneration, type Ending, placeReadyChunks, progressEvent } from '../services/transitions.ts';
import { RunOver } from './chunk-failure.ts';
import type { Run, RunChunk } from './run.ts';

/** Locks the run's generation. @throws RunOver where the run may no longer write. */
async function lockRun(tx: Tx, { generation, token }: Run): Promise<GenerationRow> {
  const row = await lockGeneration(tx, generation.id);
  if (!row || row.runToken !== token || row.state !== 'RUNNING') throw new RunOver();
  return row;
}

/**
 * A chunk is there: its row, what it costs, the counters and the events, all or nothing. Saying it again (after a
 * commit that went unnoticed) changes nothing. @throws RunOver
 */
export async function recordChunk(
  db: Db,
  run: Run,
  chunk: RunChunk,
  sound: ChunkSound & { sampleRate: number },
): Promise<void> {
  await db.transaction(async (tx) => {
    const row = await lockRun(tx, run);
    const { sampleRate, ...stored } = sound;
    if (!(await succeedChunk(tx, row.renderingId, chunk.index, stored))) {
      const written = (await readChunksAt(tx, row.renderingId, [chunk.index])).get(chunk.index);
      if (written?.audioKey === sound.audioKey) return;
      throw new RunOver();
    }
    const charactersDone = row.charactersDone + chunk.charEnd - chunk.charStart;
    const done = { ...row, charactersDone, chunksDone: row.chunksDone + 1 };
    const announcements = await placeReadyChunks(tx, row, sampleRate);
    const counters = { charactersDone, chunksDone: done.chunksDone };
    await appendEvents(tx, row.id, [...announcements, progressEvent(done, 'RUNNING')], counters);
    await chargeDone(tx, done);
  });
}

/** Chunks are given up (null: all that are not done): they cost nothing, and those behind them need not wait. @throws RunOver */
export async function recordFailure(
  db: Db,
  run: Run,
  indexes: readonly number[] | null,
  failure: ChunkFailure,
): Promise<void> {
  await db.transaction(async (tx) => {
    const row = await lockRun(tx, run);
    const failed = await failChunks(tx, row.renderingId, indexes, failure);
    if (failed === 0) return;
    const { sampleRate } = row.rendering;
    const announcements = sampleRate === null ? [] : await placeReadyChunks(tx, row, sampleRate);
    await appendEvents(tx, row.id, [...announcements, progressEvent(row, 'RUNNING')]);
  });
}

export interface StoredAudio {
  key: string;
  durationMs: number;
  sizeBytes: number;
  sha256: string;
}

/** How long the chunks' own files stay after the whole is there. */
const CHUNK_AUDIO_SECONDS = 24 * 3600;

/** The generation ends: its sound, its state, its last event, and the rest of its hold is given back. @throws RunOver */
export async function recordEnd(
  { db, jobs }: { db: Db; jobs: Jobs },
  run: Run,
  ending: Ending,
  audio: StoredAudio | null,
): Promise<void> {
  await db.transaction(async (tx) => {
    const row = await lockRun(tx, run);
    const { id: renderingId, audioKey: earlier } = row.rendering;
    if (audio) {
      await updateRendering(tx, renderingId, {
        audioKey: audio.key,
        audioDurationMs: audio.durationMs,
        audioSizeBytes: audio.sizeBytes,
        audioSha256: audio.sha256,
        audioStoredAt: new Date(),
      });
      if (earlier !== null && earlier !== audio.key)
        await jobs.enqueue(tx, 'tts.clean', { prefixes: [], keys: [earlier] });
    }
    if (ending.state === 'SUCCEEDED') {
      await publishRendering(tx, row.rendering);
      await jobs.enqueue(tx, 'tts.discard-chunks', { renderingId }, { startAfterSeconds: CHUNK_AUDIO_SECONDS });
    }
    await endGeneration(tx, row, ending);
    await settle(tx, { generationId: row.id });
  });
}

/** For a generation that no worker could bring to an end: it fails as it is. Null where it has ended already. */
export async function recordAbandonment(
  db: Db,
  generationId: string,
  failure: ChunkFailure,
): Promise<GenerationRow | null> {
  return db.transaction(async (tx) => {
    const row = await lockGeneration(tx, generationId);
    if (!row || (row.state !== 'QUEUED' && row.state !== 'RUNNING')) return null;
    await failChunks(tx, row.renderingId, null, failure);
    const state = row.chunksDone > 0 ? 'PARTIALLY_FAILED' : 'FAILED';
    await endGeneration(tx, row, { state, failure });
    await settle(tx, { generationId });
    return row;
  });
}
