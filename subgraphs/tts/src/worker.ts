import { createDb } from '@timbre/db/client';
import { watchPool, watchQueues } from '@timbre/db/database-metrics';
import { createJobs } from '@timbre/db/jobs';
import { AppError } from '@timbre/platform/errors';
import { startHttpServer } from '@timbre/platform/http-server';
import { createLogger } from '@timbre/platform/logger';
import { createMetrics } from '@timbre/platform/metrics';
import { openTracing } from '@timbre/platform/telemetry/open-tracing';
import { runService } from '@timbre/platform/process';
import { openServices } from '@timbre/platform/services';
import { createLocalEngine } from '@timbre/speech/local/local-engine';
import { sql } from 'drizzle-orm';
import { parseWorkerEnv } from './env.ts';
import { startWorker } from './start-worker.ts';

await runService(async (source) => {
  const env = parseWorkerEnv(source);
  const log = createLogger({ name: 'tts-worker', level: env.LOG_LEVEL });
  const metrics = createMetrics({ service: 'tts-worker' });
  const tracing = await openTracing(source, { service: 'tts-worker', log, registry: metrics.registry });
  const database = createDb(env.DATABASE_URL, { name: 'timbre-tts-worker', traced: tracing !== null });
  watchPool(metrics.registry, database.pool);
  const jobs = createJobs({ url: env.DATABASE_URL, log, name: 'timbre-tts-worker-jobs', tracing });
  watchQueues(metrics.registry, jobs);
  const services = await openServices(env, { log });
  const { bus, store } = services;
  const { db } = database;
  const engine = await createLocalEngine({ processes: env.TTS_ENGINE_PROCESSES, log });
  const worker = await startWorker({
    db,
    jobs,
    bus,
    store,
    engine,
    metrics,
    log,
    engineProcesses: env.TTS_ENGINE_PROCESSES,
    encoderThreads: env.TTS_ENCODER_THREADS,
    concurrency: env.TTS_WORKER_CONCURRENCY,
  });
  const server = await startHttpServer({
    host: env.HOST,
    port: env.PORT,
    log,
    metrics,
    async ready() {
      await db.execute(sql`select 1`);
      await store.check();
    },
    handler() {
      throw new AppError('NOT_FOUND', 'There is nothing here.');
    },
  });
  return {
    async close() {
      await worker.close();
      await server.close();
      await services.close();
      await database.close();
      await tracing?.close();
    },
  };
});
