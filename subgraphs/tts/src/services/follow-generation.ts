import { channels, hints } from '@timbre/platform/bus/hints';
import { AppError } from '@timbre/platform/errors';
import { isId } from '@timbre/platform/ids';
import type DataLoader from 'dataloader';
import { patiently } from '../patiently.ts';
import { readEventsAfter } from '../repos/events.ts';
import { readOwnGenerations, readTexts } from '../repos/generations.ts';
import type { EventRow, GenerationRow } from '../rows.ts';
import { atLeast } from './bounds.ts';
import type { Deps } from './deps.ts';
import { toEventRows } from './event-rows.ts';

export interface Following {
  viewerId: string;
  id: string;
  /** The newest event that the subscriber has; 0 for none. */
  afterSequence: number;
  /** Ends the sequence. */
  signal: AbortSignal;
  lastSequences: DataLoader<string, number | null>;
}

const BATCH = 50;

/**
 * The events after `afterSequence`, those of the past first, each exactly once and in order; ends after the
 * GenerationFinished that is the last event. (One that a retry of failed chunks came after is passed on and not the
 * end.) The log is the truth and hints only say when to read it: a database that goes away for a while delays events
 * and loses none.
 *
 * @throws AppError, before the sequence begins: NOT_FOUND for a missing generation and a stranger's alike,
 *   BAD_USER_INPUT for an `afterSequence` that is negative or that no event has reached yet.
 */
export async function followGeneration(deps: Deps, following: Following): Promise<AsyncGenerator<EventRow, void>> {
  const { viewerId, id } = following;
  const afterSequence = atLeast('afterSequence', 0, following.afterSequence);
  const [generation = null] = isId('gen', id) ? await readOwnGenerations(deps.db, viewerId, [id]) : [];
  if (!generation) throw new AppError('NOT_FOUND', 'There is no generation with this id.');
  const { lastSequence } = generation;
  if (afterSequence > lastSequence) {
    throw new AppError(
      'BAD_USER_INPUT',
      `\`afterSequence\` is ${afterSequence}; the newest event is ${lastSequence}.`,
      {
        details: { argument: 'afterSequence', maximum: lastSequence, sent: afterSequence },
      },
    );
  }
  return follow(deps, { ...following, afterSequence });
}

async function* follow(deps: Deps, following: Following): AsyncGenerator<EventRow, void> {
  try {
    yield* read(deps, following);
  } catch (error) {
    if (!following.signal.aborted) throw error;
  }
}

async function* read(deps: Deps, following: Following): AsyncGenerator<EventRow, void> {
  const { viewerId, id, afterSequence, signal, lastSequences } = following;
  let last = afterSequence;
  let looked = false;
  let text: string | null = null;
  // Kept for the stream's life: the longest texts are read with every chunk otherwise.
  const readText = async () => (text ??= (await readTexts(deps.db, [id]))[0] ?? '');
  for await (const _ of hints(deps.bus, channels.generation(id), { signal })) {
    // An end without an event that is new is an end that was there at the first look.
    if (looked && (await patiently({ log: deps.log, signal }, () => lastSequences.load(id))) === last) continue;
    looked = true;
    for (;;) {
      const batch = await patiently({ log: deps.log, signal }, () => readBatch(deps, viewerId, id, last, readText));
      if (!batch) return;
      for (const row of batch.rows) {
        if (row.sequence !== last + 1) throw new Error(`Event ${row.sequence} of ${id} came after ${last}.`);
        last = row.sequence;
        yield row;
      }
      const { state, lastSequence } = batch.generation;
      if (last === lastSequence) {
        if (state !== 'QUEUED' && state !== 'RUNNING') return;
        break;
      }
    }
  }
}

interface Batch {
  generation: GenerationRow;
  rows: EventRow[];
}

/** Null where the generation is no longer there. */
async function readBatch(
  deps: Deps,
  viewerId: string,
  id: string,
  last: number,
  text: () => Promise<string>,
): Promise<Batch | null> {
  // Events first: what the generation's row says of the end is then never older than the events.
  const events = await readEventsAfter(deps.db, id, last, BATCH);
  const [generation = null] = await readOwnGenerations(deps.db, viewerId, [id]);
  return generation && { generation, rows: await toEventRows(deps, generation, events, text) };
}
