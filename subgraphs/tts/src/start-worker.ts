import { PLANS } from '@timbre/db/billing/plans';
import type { Jobs } from '@timbre/db/jobs';
import type { Db } from '@timbre/db/client';
import type { Bus } from '@timbre/platform/bus/bus';
import type { Metrics } from '@timbre/platform/metrics';
import type { Logger } from '@timbre/platform/logger';
import type { ObjectStore } from '@timbre/platform/storage/object-store';
import type { SpeechEngine } from '@timbre/speech/engine';
import { clean, discardChunks } from './pipeline/cleaning.ts';
import { createEncoderPool } from './pipeline/encoder-pool.ts';
import type { Parts } from './pipeline/parts.ts';
import { recordAbandonment } from './pipeline/record.ts';
import { runGeneration } from './pipeline/run-generation.ts';
import { createChunkScheduler } from './pipeline/scheduler.ts';
import { createWorkerMetrics } from './pipeline/worker-metrics.ts';
import { notify } from './services/notify.ts';

export interface WorkerOptions {
  db: Db;
  jobs: Jobs;
  bus: Bus;
  store: ObjectStore;
  /** Null where none is installed: only cleaning is done then. */
  engine: SpeechEngine | null;
  metrics: Metrics;
  log: Logger;
  /** Processes that the engine speaks with. */
  engineProcesses: number;
  encoderThreads: number;
  /** Generations at once, over all tenants. */
  concurrency: number;
}

export interface TtsWorker {
  /** Gives back what is not done; another worker goes on where this one stopped. */
  close(): Promise<void>;
}

/**
 * Chunks in hand beyond those that the engine's processes speak: enough that none idles while a chunk is recorded, and
 * no more, since what waits at the engine's door goes before the first chunk of whoever comes next.
 */
const CHUNKS_AT_THE_DOOR = 1;
/** A generation's chunks at once, so that one long text does not fill every slot. */
const CHUNKS_PER_GENERATION = 4;
const STOP_GRACE_MS = 1_000;

/** What is given up here was tried ten times by workers that died or threw: see `retryLimit` of the queue. */
const ABANDONED = {
  code: 'INTERNAL_SERVER_ERROR',
  message: 'The generation could not be brought to an end. What was spoken is there; the rest can be tried again.',
  retryable: true,
};

/** Takes generations from the queue and speaks them. */
export async function startWorker(options: WorkerOptions): Promise<TtsWorker> {
  const { db, jobs, bus, store, engine, log, concurrency } = options;
  const encoder = createEncoderPool({ threads: options.encoderThreads });
  const slots = options.engineProcesses + CHUNKS_AT_THE_DOOR;
  const scheduler = createChunkScheduler({ slots, slotsPerLane: Math.min(slots, CHUNKS_PER_GENERATION) });

  await jobs.start();
  if (engine) {
    const metrics = createWorkerMetrics(options.metrics.registry, db);
    const parts: Parts = { db, jobs, bus, store, engine, encoder, scheduler, metrics, log };
    const tiers = Object.fromEntries(PLANS.map((plan) => [plan.id, plan.concurrency]));
    const groupConcurrency = { default: Math.min(...Object.values(tiers)), tiers };
    await jobs.work('tts.generate', { concurrency, groupConcurrency }, ({ data, signal }) =>
      runGeneration(parts, data.generationId, signal),
    );
    await jobs.work('tts.generate.dead', {}, async ({ data: { generationId } }) => {
      const generation = await recordAbandonment(db, generationId, ABANDONED);
      if (generation) await notify({ bus, log }, { generation, quota: true });
    });
  } else {
    log.warn('no speech engine is installed: generations wait');
  }
  // What the store would not take back for a while is asked for again, not forgotten.
  for (const queue of ['tts.clean', 'tts.clean.dead'] as const) {
    await jobs.work(queue, {}, ({ data }) => clean(store, data));
  }
  for (const queue of ['tts.discard-chunks', 'tts.discard-chunks.dead'] as const) {
    await jobs.work(queue, {}, ({ data }) => discardChunks(db, store, data.renderingId));
  }

  return {
    async close() {
      await jobs.stop({ graceMs: STOP_GRACE_MS });
      await Promise.all([encoder.close(), engine?.close()]);
    },
  };
}
