import { grant } from '@timbre/db/ledger/grant';
import { createJobs } from '@timbre/db/jobs';
import { createTestDatabase, type TestDatabase } from '@timbre/db/testing/test-database';
import { apiKeys, users } from '@timbre/db/users/tables';
import { voices } from '@timbre/db/voices/tables';
import { createIdentityVerifier } from '@timbre/platform/identity';
import { newId } from '@timbre/platform/ids';
import { createLogger } from '@timbre/platform/logger';
import { createMetrics } from '@timbre/platform/metrics';
import { callerOf, TEST_SECRET } from '@timbre/platform/testing/caller';
import { openServedServices } from '@timbre/platform/testing/served-services';
import { DEFAULT_PROFILE, type SpeechEngine, type SpeechModel } from '@timbre/speech/engine';
import { startTts } from '../start-tts.ts';
import { startWorker, type TtsWorker } from '../start-worker.ts';
import { spawnWorker, type WorkerProcess } from './worker-process.ts';

/** What the local engine offers, for tests that never speak. */
export const LOCAL_MODEL: SpeechModel = {
  id: 'local-1',
  name: 'Timbre Local',
  maxCharacters: 200_000,
  languages: ['en-us'],
  creditsPerCharacter: 0.5,
};

export interface TestTtsOptions {
  models?: readonly SpeechModel[];
  /** A migrated database, where the shared server's will not do. */
  database?: TestDatabase;
}

export type TestTts = Awaited<ReturnType<typeof startTestTts>>;
export type Person = ReturnType<TestTts['person']>;

/** The subgraph, its database, its object store behind a real HTTP server, and people who talk to it. */
export async function startTestTts(options: TestTtsOptions = {}) {
  const database = options.database ?? (await createTestDatabase());
  const log = createLogger({ name: 'tts-test', level: 'error' });
  const metrics = () => createMetrics({ service: 'tts-test' });
  const served = await openServedServices(database.url, log);
  const { env, services } = served;

  const jobs = createJobs({ url: database.url, log, max: 2, worker: false });
  await jobs.start();
  const { bus, store } = services;
  const { db } = database;
  let models = options.models ?? [LOCAL_MODEL];
  const deps = { db, jobs, bus, store, models: () => models, log };
  const server = await startTts({
    deps,
    verifyIdentity: createIdentityVerifier(TEST_SECRET),
    host: '127.0.0.1',
    port: 0,
    metrics: metrics(),
  });
  const workers: TtsWorker[] = [];
  const processes: WorkerProcess[] = [];

  return {
    ...deps,
    env,
    url: server.url,
    dataDir: env.DATA_DIR,
    databaseUrl: database.url,
    pool: database.pool,
    setModels: (next: readonly SpeechModel[]) => {
      models = next;
    },

    /** Somebody new, or somebody by id. */
    person: (userId: string = newId('usr')) => callerOf(server.url, userId),

    /** A new API key of somebody's, and who comes with it. */
    async withKey(userId: string, key: Partial<typeof apiKeys.$inferInsert> = {}) {
      const id = newId('key');
      await db.insert(users).values({ id: userId, issuer: 'test', subject: userId }).onConflictDoNothing();
      await db.insert(apiKeys).values({ id, userId, name: 'A key', secretHash: '', scopes: ['tts:write'], ...key });
      const credential = { kind: 'key', id, session: null, issuedAt: null, expiresAt: null } as const;
      return { keyId: id, machine: callerOf(server.url, userId, credential) };
    },

    async plan(userId: string, planId: string, credits = 0): Promise<void> {
      await db.transaction((tx) => grant(tx, { userId, planId, credits }));
    },

    /** A voice that is ready to speak unless told otherwise; a library voice without an owner. */
    async voice(ownerId: string | null, change: Partial<typeof voices.$inferInsert> = {}): Promise<string> {
      const id = newId('voi');
      const profile = DEFAULT_PROFILE;
      const kind = ownerId === null ? 'PREMADE' : 'CLONED_INSTANT';
      await db
        .insert(voices)
        .values({ id, ownerId, kind, status: 'READY', name: 'A voice', profile, revision: 1, ...change });
      return id;
    },

    /** A worker in this process, as `worker.ts` runs one. The engine is closed with it. */
    async work(engine: SpeechEngine | null): Promise<TtsWorker> {
      const worker = await startWorker({
        db,
        bus,
        store,
        engine,
        log,
        metrics: metrics(),
        jobs: createJobs({ url: database.url, log, max: 4 }),
        engineProcesses: 1,
        encoderThreads: 1,
        concurrency: 8,
      });
      workers.push(worker);
      return worker;
    },

    /** A worker as a process of its own. */
    workerProcess: (): WorkerProcess => {
      const worker = spawnWorker(env);
      processes.push(worker);
      return worker;
    },

    async close() {
      for (const worker of processes) worker.kill();
      await Promise.all(processes.map(({ exited }) => exited));
      await Promise.all(workers.map((worker) => worker.close()));
      await server.close({ deadlineMs: 1000 });
      await jobs.stop({ graceMs: 1000 });
      await served.close();
      await database.drop();
    },
  };
}
