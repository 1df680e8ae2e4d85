import { availableParallelism } from 'node:os';
import { envFields, type EnvSource, parseEnv, serviceEnvShape } from '@timbre/platform/env';
import { z } from 'zod';

const serverEnv = z.object(serviceEnvShape);

export type ServerEnv = z.output<typeof serverEnv>;

/** @throws EnvError that lists every bad variable. */
export const parseServerEnv = (source: EnvSource): ServerEnv => parseEnv(serverEnv, source);

const workerEnv = z.object({
  ...serviceEnvShape,
  /** Processes of the local engine. */
  TTS_ENGINE_PROCESSES: envFields.integer(1, 64).default(Math.min(2, availableParallelism())),
  /** Threads that encode; begun when there is something to encode, and behind the engine where cores are short. */
  TTS_ENCODER_THREADS: envFields.integer(1, 64).default(Math.min(4, availableParallelism())),
  /** Generations that this process works at. */
  TTS_WORKER_CONCURRENCY: envFields.integer(1, 256).default(24),
});

export type WorkerEnv = z.output<typeof workerEnv>;

/** @throws EnvError that lists every bad variable. */
export const parseWorkerEnv = (source: EnvSource): WorkerEnv => parseEnv(workerEnv, source);
