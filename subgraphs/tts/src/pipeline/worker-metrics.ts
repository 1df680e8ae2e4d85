import type { Db } from '@timbre/db/client';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { countByState } from '../repos/generation-pages.ts';

export interface WorkerMetrics {
  /** Seconds of one step of a chunk: synthesize, store, record. */
  chunkSeconds: Histogram<'step'>;
  /** Seconds from the order to the first chunk that can be heard. */
  firstAudioSeconds: Histogram;
  /** Seconds that joining and encoding one generation took. */
  joinSeconds: Histogram;
  /** Seconds of sound that were spoken. */
  spokenSeconds: Counter;
  /** Tries of chunks that failed, by code. */
  chunkFailures: Counter<'code'>;
  /** Generations that this process ended, by state. */
  ended: Counter<'state'>;
}

const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export function createWorkerMetrics(registry: Registry, db: Db): WorkerMetrics {
  const registers = [registry];
  // What the autoscaler looks at: work that waits, over all workers.
  const generations = new Gauge({
    name: 'timbre_tts_generations',
    help: 'Generations that wait or run, over all workers.',
    labelNames: ['state'] as const,
    registers: [],
    async collect() {
      this.set({ state: 'QUEUED' }, 0);
      this.set({ state: 'RUNNING' }, 0);
      for (const { state, total } of await countByState(db)) this.set({ state }, total);
    },
  });
  registry.registerMetric(generations);
  return {
    chunkSeconds: new Histogram({
      name: 'timbre_tts_chunk_seconds',
      help: 'Time that one step of a chunk took.',
      labelNames: ['step'] as const,
      buckets: SECONDS,
      registers,
    }),
    firstAudioSeconds: new Histogram({
      name: 'timbre_tts_first_audio_seconds',
      help: 'Time from the order to the first chunk that can be heard.',
      buckets: SECONDS,
      registers,
    }),
    joinSeconds: new Histogram({
      name: 'timbre_tts_join_seconds',
      help: 'Time that joining and encoding a generation took.',
      buckets: SECONDS,
      registers,
    }),
    spokenSeconds: new Counter({ name: 'timbre_tts_spoken_seconds_total', help: 'Sound that was spoken.', registers }),
    chunkFailures: new Counter({
      name: 'timbre_tts_chunk_failures_total',
      help: 'Tries of chunks that failed.',
      labelNames: ['code'] as const,
      registers,
    }),
    ended: new Counter({
      name: 'timbre_tts_generations_ended_total',
      help: 'Generations that were ended here.',
      labelNames: ['state'] as const,
      registers,
    }),
  };
}
