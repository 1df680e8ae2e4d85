import { createHash } from 'node:crypto';
import { createJobs } from '@timbre/db/jobs';
import { createTestDatabase } from '@timbre/db/testing/test-database';
import { createIdentityVerifier } from '@timbre/platform/identity';
import { newId } from '@timbre/platform/ids';
import { createLogger } from '@timbre/platform/logger';
import { createMetrics } from '@timbre/platform/metrics';
import { callerOf, TEST_SECRET } from '@timbre/platform/testing/caller';
import { openServedServices } from '@timbre/platform/testing/served-services';
import type { SpeechEngine, VoiceFitter } from '@timbre/speech/engine';
import { runJobs } from '../run-jobs.ts';
import { startVoices } from '../start-voices.ts';

export type TestVoices = Awaited<ReturnType<typeof startTestVoices>>;

/** The subgraph, its database, its object store behind a real HTTP server, and people who talk to it. */
export async function startTestVoices() {
  const database = await createTestDatabase();
  const log = createLogger({ name: 'voices-test', level: 'error' });
  const served = await openServedServices(database.url, log);
  const { env, services } = served;

  const jobs = createJobs({ url: database.url, log, max: 2, worker: false });
  await jobs.start();
  const resources = { db: database.db, jobs, bus: services.bus, store: services.store };
  const server = await startVoices({
    resources,
    verifyIdentity: createIdentityVerifier(TEST_SECRET),
    host: '127.0.0.1',
    port: 0,
    log,
    metrics: createMetrics({ service: 'voices-test' }),
  });

  return {
    ...resources,
    env,
    log,
    url: server.url,
    pool: database.pool,
    services,

    /** Somebody new; `null` is the anonymous caller. */
    person: (userId: string | null = newId('usr')) => callerOf(server.url, userId),

    /** A worker in this process, as `worker.ts` runs one. */
    async work(engine: (SpeechEngine & VoiceFitter) | null) {
      const own = createJobs({ url: database.url, log, max: 2 });
      return runJobs({ ...resources, jobs: own, engine, log });
    },

    async close() {
      await server.close({ deadlineMs: 1000 });
      await jobs.stop({ graceMs: 1000 });
      await served.close();
      await database.drop();
    },
  };
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
