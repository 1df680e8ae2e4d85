import { createDb } from '@timbre/db/client';
import { createJobs } from '@timbre/db/jobs';
import { createIdentityVerifier } from '@timbre/platform/identity';
import { createLogger } from '@timbre/platform/logger';
import { createMetrics } from '@timbre/platform/metrics';
import { runService } from '@timbre/platform/process';
import { openServices } from '@timbre/platform/services';
import { parseVoicesEnv } from './env.ts';
import { startVoices } from './start-voices.ts';

await runService(async (source) => {
  const env = parseVoicesEnv(source);
  const log = createLogger({ name: 'voices', level: env.LOG_LEVEL });
  const database = createDb(env.DATABASE_URL, { name: 'timbre-voices' });
  const jobs = createJobs({ url: env.DATABASE_URL, log, name: 'timbre-voices-jobs', max: 1, worker: false });
  const services = await openServices(env, { log });
  await jobs.start();
  const server = await startVoices({
    resources: { db: database.db, jobs, bus: services.bus, store: services.store },
    verifyIdentity: createIdentityVerifier(env.IDENTITY_SECRET),
    host: env.HOST,
    port: env.PORT,
    log,
    metrics: createMetrics({ service: 'voices' }),
  });
  return {
    async close() {
      await server.close();
      await jobs.stop();
      await services.close();
      await database.close();
    },
  };
});
