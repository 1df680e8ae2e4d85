import { createDb } from '@timbre/db/client';
import { watchPool } from '@timbre/db/database-metrics';
import { createIdentityVerifier } from '@timbre/platform/identity';
import { createLogger } from '@timbre/platform/logger';
import { createMetrics } from '@timbre/platform/metrics';
import { openTracing } from '@timbre/platform/telemetry/open-tracing';
import { runService } from '@timbre/platform/process';
import { openBus } from '@timbre/platform/services';
import { parseBillingEnv } from './env.ts';
import { startBilling } from './start-billing.ts';

await runService(async (source) => {
  const env = parseBillingEnv(source);
  const log = createLogger({ name: 'billing', level: env.LOG_LEVEL });
  const metrics = createMetrics({ service: 'billing' });
  const tracing = await openTracing(source, { service: 'billing', log, registry: metrics.registry });
  const database = createDb(env.DATABASE_URL, { name: 'timbre-billing', traced: tracing !== null });
  watchPool(metrics.registry, database.pool);
  const bus = await openBus(env, { log });
  const server = await startBilling({
    db: database.db,
    bus,
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
      await bus.close();
      await database.close();
      await tracing?.close();
    },
  };
});
