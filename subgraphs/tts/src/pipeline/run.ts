import { randomUUID } from 'node:crypto';
import type { Db } from '@timbre/db/client';
import type { GenerationState } from '@timbre/db/tts/tables';
import { readChunksFrom, requeueInterruptedChunks } from '../repos/chunks.ts';
import { appendEvents } from '../repos/events.ts';
import { lockGeneration, readTexts, updateGeneration } from '../repos/generations.ts';
import type { GenerationRow } from '../rows.ts';
import { progressEvent } from '../services/transitions.ts';

export interface RunChunk {
  index: number;
  charStart: number;
  charEnd: number;
  state: GenerationState;
}

/** One worker's go at a generation. */
export interface Run {
  generation: GenerationRow;
  text: string;
  chunks: RunChunk[];
  /** Every write asks whether the generation still bears it. */
  token: string;
  /** 1 at the first go. */
  number: number;
}

/**
 * Takes a generation over, from the queue or from a worker that died: whoever ran it before can write no more, and
 * chunks that were being spoken are to be spoken again. Null where there is nothing to do.
 */
export async function beginRun(db: Db, generationId: string): Promise<Run | null> {
  return db.transaction(async (tx) => {
    const generation = await lockGeneration(tx, generationId);
    if (!generation || (generation.state !== 'QUEUED' && generation.state !== 'RUNNING')) return null;
    const token = randomUUID();
    const number = generation.runs + 1;
    const startedAt = generation.startedAt ?? new Date();
    const change = { state: 'RUNNING', runToken: token, runs: number, startedAt } as const;
    if (generation.state === 'QUEUED') {
      await appendEvents(tx, generationId, [progressEvent(generation, 'RUNNING')], change);
    } else {
      await updateGeneration(tx, generationId, change);
      await requeueInterruptedChunks(tx, generation.renderingId);
    }
    const rows = await readChunksFrom(tx, generation.renderingId, 0, generation.chunksTotal);
    const [text = null] = await readTexts(tx, [generationId]);
    if (text === null) throw new Error(`Generation ${generationId} has no text.`);
    const chunks = rows.map(({ index, charStart, charEnd, state }) => ({ index, charStart, charEnd, state }));
    return { generation: { ...generation, state: 'RUNNING', runs: number }, text, chunks, token, number };
  });
}
