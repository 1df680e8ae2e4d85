import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { grant } from '@timbre/db/ledger/grant';
import { createJobs } from '@timbre/db/jobs';
import { createTestDatabase, type TestDatabase } from '@timbre/db/testing/test-database';
import { voices } from '@timbre/db/voices/tables';
import { startHttpServer } from '@timbre/platform/http-server';
import { createIdentitySigner, createIdentityVerifier, IDENTITY_HEADER } from '@timbre/platform/identity';
import { newId } from '@timbre/platform/ids';
import { createLogger } from '@timbre/platform/logger';
import { createMetrics } from '@timbre/platform/metrics';
import { openServices } from '@timbre/platform/services';
import { DEFAULT_PROFILE, type SpeechEngine, type SpeechModel } from '@timbre/speech/engine';
import { createClient } from 'graphql-ws';
import { z } from 'zod';
import { startTts } from '../start-tts.ts';
import { startWorker, type TtsWorker } from '../start-worker.ts';
import { spawnWorker, type WorkerProcess } from './worker-process.ts';

const SECRET = 'a secret that only these tests know of';

/** What the local engine offers, for tests that never speak. */
export const LOCAL_MODEL: SpeechModel = {
  id: 'local-1',
  name: 'Timbre Local',
  maxCharacters: 200_000,
  languages: ['en-us'],
  creditsPerCharacter: 0.5,
};

const responseSchema = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z
    .array(z.looseObject({ message: z.string(), extensions: z.looseObject({ code: z.string() }).optional() }))
    .optional(),
});

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
  const dataDir = await mkdtemp(join(tmpdir(), 'timbre-tts-'));
  const log = createLogger({ name: 'tts-test', level: 'error' });
  const metrics = () => createMetrics({ service: 'tts-test' });

  // The media server's address is part of every URL, so it is there before what it serves.
  let answer: Parameters<typeof startHttpServer>[0]['handler'] = () => undefined;
  const media = await startHttpServer({
    host: '127.0.0.1',
    port: 0,
    log,
    metrics: metrics(),
    ready: () => undefined,
    handler: (req, res) => answer(req, res),
  });
  const env = { DATA_DIR: dataDir, DATABASE_URL: database.url, IDENTITY_SECRET: SECRET, PUBLIC_URL: media.url };
  const services = await openServices(env, { log });
  if (services.media === null) throw new Error('The filesystem store has a media handler.');
  answer = services.media;

  const jobs = createJobs({ url: database.url, log, max: 2, worker: false });
  await jobs.start();
  const { bus, store } = services;
  const { db } = database;
  let models = options.models ?? [LOCAL_MODEL];
  const deps = { db, jobs, bus, store, models: () => models, log };
  const server = await startTts({
    deps,
    verifyIdentity: createIdentityVerifier(SECRET),
    host: '127.0.0.1',
    port: 0,
    metrics: metrics(),
  });
  const sign = createIdentitySigner(SECRET);
  const workers: TtsWorker[] = [];
  const processes: WorkerProcess[] = [];

  return {
    ...deps,
    env,
    url: server.url,
    dataDir,
    databaseUrl: database.url,
    pool: database.pool,
    setModels: (next: readonly SpeechModel[]) => {
      models = next;
    },

    /** Somebody new, or somebody by id. */
    person(userId: string = newId('usr')) {
      const expiresAt = Math.floor(Date.now() / 1000) + 600;
      const token = sign({ userId, roles: [], scopes: [], plan: null, expiresAt });
      return {
        id: userId,
        raw: async (query: string, variables: Record<string, unknown> = {}) => {
          const response = await fetch(`${server.url}/graphql`, {
            method: 'POST',
            headers: { 'content-type': 'application/json', [IDENTITY_HEADER]: token },
            body: JSON.stringify({ query, variables }),
          });
          return responseSchema.parse(await response.json());
        },
        async ask<T>(query: string, variables: Record<string, unknown>, shape: z.ZodType<T>): Promise<T> {
          const { data, errors } = await this.raw(query, variables);
          if (errors !== undefined) throw new Error(JSON.stringify(errors));
          return shape.parse(data);
        },
        /** The events of a subscription; ends with it. An error's message is its codes. */
        follow: async function* <T>(
          query: string,
          variables: Record<string, unknown>,
          shape: z.ZodType<T>,
        ): AsyncGenerator<T> {
          const client = createClient({ url: `${server.url.replace('http', 'ws')}/graphql` });
          try {
            for await (const event of client.iterate({ query, variables, extensions: { identity: token } })) {
              const { data, errors } = responseSchema.parse(event);
              if (errors !== undefined) throw new Error(errors.map((error) => error.extensions?.code).join());
              yield shape.parse(data);
            }
          } finally {
            await client.dispose();
          }
        },
      };
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
      await media.close({ deadlineMs: 1000 });
      await jobs.stop({ graceMs: 1000 });
      await services.close();
      await database.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
