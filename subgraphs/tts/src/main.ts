import { createDb } from '@timbre/db/client';
import { watchPool } from '@timbre/db/database-metrics';
import { createJobs } from '@timbre/db/jobs';
import { createIdentityVerifier } from '@timbre/platform/identity';
import { createLogger } from '@timbre/platform/logger';
import { createMetrics } from '@timbre/platform/metrics';
import { openTracing } from '@timbre/platform/telemetry/open-tracing';
import { runService } from '@timbre/platform/process';
import { openServices } from '@timbre/platform/services';
import { parseServerEnv } from './env.ts';
import { loadModelCatalogue } from './model-catalogue.ts';
import { tellModels } from './services/notify.ts';
import { startTts } from './start-tts.ts';

await runService(async (source) => {
  const env = parseServerEnv(source);
  const log = createLogger({ name: 'tts', level: env.LOG_LEVEL });
  const metrics = createMetrics({ service: 'tts' });
  const tracing = await openTracing(source, { service: 'tts', log, registry: metrics.registry });
  const database = createDb(env.DATABASE_URL, { name: 'timbre-tts', traced: tracing !== null });
  watchPool(metrics.registry, database.pool);
  const jobs = createJobs({ url: env.DATABASE_URL, log, name: 'timbre-tts-jobs', max: 1, worker: false });
  const services = await openServices(env, { log });
  const [catalogue] = await Promise.all([loadModelCatalogue(log, () => tellModels(services.bus)), jobs.start()]);
  const { bus, store } = services;
  const { db } = database;
  const server = await startTts({
    deps: { db, jobs, bus, store, models: catalogue.models, log },
    verifyIdentity: createIdentityVerifier(env.IDENTITY_SECRET),
    host: env.HOST,
    port: env.PORT,
    metrics,
    tracing,
  });
  return {
    async close() {
      catalogue.close();
      await server.close();
      await jobs.stop();
      await services.close();
      await database.close();
      await tracing?.close();
    },
  };
});
