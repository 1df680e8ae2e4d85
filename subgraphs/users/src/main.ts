import { createDb } from '@timbre/db/client';
import { watchPool } from '@timbre/db/database-metrics';
import { createApiKeys } from '@timbre/platform/api-key';
import { createPostgresBus } from '@timbre/platform/bus/postgres-bus';
import { createIdentityVerifier } from '@timbre/platform/identity';
import { createLogger } from '@timbre/platform/logger';
import { createMetrics } from '@timbre/platform/metrics';
import { openTracing } from '@timbre/platform/telemetry/open-tracing';
import { runService } from '@timbre/platform/process';
import { openBus } from '@timbre/platform/services';
import { parseUsersEnv } from './env.ts';
import { relayRevocations } from './services/relay-revocations.ts';
import { startUsers } from './start-users.ts';

await runService(async (source) => {
  const env = parseUsersEnv(source);
  const log = createLogger({ name: 'users', level: env.LOG_LEVEL });
  const metrics = createMetrics({ service: 'users' });
  const tracing = await openTracing(source, { service: 'users', log, registry: metrics.registry });
  const database = createDb(env.DATABASE_URL, { name: 'timbre-users', traced: tracing !== null });
  watchPool(metrics.registry, database.pool);
  const bus = await openBus(env, { log });
  const told = env.REDIS_URL === undefined ? null : createPostgresBus({ url: env.DATABASE_URL, log });
  const relay = told === null ? null : relayRevocations({ from: told, to: bus, log });
  const server = await startUsers({
    db: database.db,
    keys: createApiKeys(env.IDENTITY_SECRET),
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
      await relay?.close();
      await Promise.all([bus.close(), told?.close()]);
      await database.close();
      await tracing?.close();
    },
  };
});
