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
import { parseVoicesEnv } from './env.ts';
import { runJobs } from './run-jobs.ts';

await runService(async (source) => {
  const env = parseVoicesEnv(source);
  const log = createLogger({ name: 'voices-worker', level: env.LOG_LEVEL });
  const metrics = createMetrics({ service: 'voices-worker' });
  const tracing = await openTracing(source, { service: 'voices-worker', log, registry: metrics.registry });
  const database = createDb(env.DATABASE_URL, { name: 'timbre-voices-worker', traced: tracing !== null });
  watchPool(metrics.registry, database.pool);
  const jobs = createJobs({ url: env.DATABASE_URL, log, name: 'timbre-voices-worker-jobs', tracing });
  watchQueues(metrics.registry, jobs);
  const { bus, store, ...services } = await openServices(env, { log });
  const engine = await createLocalEngine({ log });
  if (engine === null) log.warn('no speech engine is installed: clones will fail with ENGINE_UNAVAILABLE');
  const running = await runJobs({ db: database.db, jobs, bus, store, engine, log });
  const server = await startHttpServer({
    host: env.HOST,
    port: env.PORT,
    log,
    metrics,
    async ready() {
      await database.db.execute(sql`select 1`);
      await store.check();
    },
    handler() {
      throw new AppError('NOT_FOUND', 'There is nothing here.');
    },
  });
  log.info({ url: server.url }, 'voices-worker works');
  return {
    async close() {
      await running.close();
      await server.close();
      await engine?.close();
      await services.close();
      await database.close();
      await tracing?.close();
    },
  };
});
