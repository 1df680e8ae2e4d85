import { createTestDatabase, type TestDatabase } from '@timbre/db/testing/test-database';
import type { Bus } from '@timbre/platform/bus/bus';
import { createPostgresBus } from '@timbre/platform/bus/postgres-bus';
import { createIdentityVerifier } from '@timbre/platform/identity';
import { createLogger } from '@timbre/platform/logger';
import { createMetrics } from '@timbre/platform/metrics';
import { TEST_SECRET } from '@timbre/platform/testing/caller';
import { startBilling } from '../start-billing.ts';

export interface TestBilling {
  url: string;
  database: TestDatabase;
  bus: Bus;
  close(): Promise<void>;
}

/** The subgraph over a database of its own; it looks for holds that are over ten times a second. */
export async function startTestBilling(): Promise<TestBilling> {
  const log = createLogger({ name: 'billing-test', level: 'error' });
  const database = await createTestDatabase();
  const bus = createPostgresBus({ url: database.url, log });
  const server = await startBilling({
    db: database.db,
    bus,
    verifyIdentity: createIdentityVerifier(TEST_SECRET),
    host: '127.0.0.1',
    port: 0,
    log,
    metrics: createMetrics({ service: 'billing-test' }),
    reapEveryMs: 100,
  });
  return {
    url: server.url,
    database,
    bus,
    async close() {
      await server.close({ deadlineMs: 1000 });
      await bus.close();
      await database.drop();
    },
  };
}
