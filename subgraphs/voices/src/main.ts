import { createDb } from '@timbre/db/client';
import { watchPool } from '@timbre/db/database-metrics';
import { createJobs } from '@timbre/db/jobs';
import { createIdentityVerifier } from '@timbre/platform/identity';
import { createLogger } from '@timbre/platform/logger';
import { createMetrics } from '@timbre/platform/metrics';
import { openTracing } from '@timbre/platform/telemetry/open-tracing';
import { runService } from '@timbre/platform/process';
import { openServices } from '@timbre/platform/services';
import { parseVoicesEnv } from './env.ts';
import { startVoices } from './start-voices.ts';

await runService(async (source) => {
  const env = parseVoicesEnv(source);
  const log = createLogger({ name: 'voices', level: env.LOG_LEVEL });
  const metrics = createMetrics({ service: 'voices' });
  const tracing = await openTracing(source, { service: 'voices', log, registry: metrics.registry });
  const database = createDb(env.DATABASE_URL, { name: 'timbre-voices', traced: tracing !== null });
  watchPool(metrics.registry, database.pool);
  const jobs = createJobs({ url: env.DATABASE_URL, log, name: 'timbre-voices-jobs', max: 1, worker: false });
  const services = await openServices(env, { log });
  await jobs.start();
  const server = await startVoices({
    resources: { db: database.db, jobs, bus: services.bus, store: services.store },
    verifyIdentity: createIdentityVerifier(env.IDENTITY_SECRET),
    host: env.HOST,
    port: env.PORT,
    log,
    metrics,
    tracing,
  });
  return {
    async close() {
      await server.close();
      await jobs.stop();
      await services.close();
      await database.close();
      await tracing?.close();
    },
  };
});
