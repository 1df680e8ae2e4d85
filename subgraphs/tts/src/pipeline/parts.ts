import type { Db } from '@timbre/db/client';
import type { Jobs } from '@timbre/db/jobs';
import type { Bus } from '@timbre/platform/bus/bus';
import type { Logger } from '@timbre/platform/logger';
import type { ObjectStore } from '@timbre/platform/storage/object-store';
import type { SpeechEngine } from '@timbre/speech/engine';
import type { EncoderPool } from './encoder-pool.ts';
import type { ChunkScheduler } from './scheduler.ts';
import type { WorkerMetrics } from './worker-metrics.ts';

/** What a worker's pipeline is made of; one set per process. */
export interface Parts {
  db: Db;
  jobs: Jobs;
  bus: Bus;
  store: ObjectStore;
  engine: SpeechEngine;
  encoder: EncoderPool;
  scheduler: ChunkScheduler;
  metrics: WorkerMetrics;
  log: Logger;
}
