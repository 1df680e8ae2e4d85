import { createDb } from '@timbre/db/client';
import { createIdentityVerifier } from '@timbre/platform/identity';
import { createLogger } from '@timbre/platform/logger';
import { createMetrics } from '@timbre/platform/metrics';
import { runService } from '@timbre/platform/process';
import { parseUsersEnv } from './env.ts';
import { startUsers } from './start-users.ts';

await runService(async (source) => {
  const env = parseUsersEnv(source);
  const log = createLogger({ name: 'users', level: env.LOG_LEVEL });
  const database = createDb(env.DATABASE_URL, { name: 'timbre-users' });
  const server = await startUsers({
    db: database.db,
    verifyIdentity: createIdentityVerifier(env.IDENTITY_SECRET),
    host: env.HOST,
    port: env.PORT,
    log,
    metrics: createMetrics({ service: 'users' }),
  });
  return {
    async close() {
      await server.close();
      await database.close();
    },
  };
});
