import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createJobs } from '@timbre/db/jobs';
import { createTestDatabase } from '@timbre/db/testing/test-database';
import { startHttpServer } from '@timbre/platform/http-server';
import { createIdentitySigner, createIdentityVerifier, IDENTITY_HEADER } from '@timbre/platform/identity';
import { newId } from '@timbre/platform/ids';
import { createLogger } from '@timbre/platform/logger';
import { createMetrics } from '@timbre/platform/metrics';
import { openServices } from '@timbre/platform/services';
import type { SpeechEngine, VoiceFitter } from '@timbre/speech/engine';
import { createClient } from 'graphql-ws';
import { z } from 'zod';
import { runJobs } from '../run-jobs.ts';
import { startVoices } from '../start-voices.ts';

const SECRET = 'a secret that only these tests know of';

const responseSchema = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z
    .array(z.looseObject({ message: z.string(), extensions: z.looseObject({ code: z.string() }).optional() }))
    .optional(),
});

export type TestVoices = Awaited<ReturnType<typeof startTestVoices>>;

/** The subgraph, its database, its object store behind a real HTTP server, and people who talk to it. */
export async function startTestVoices() {
  const database = await createTestDatabase();
  const dataDir = await mkdtemp(join(tmpdir(), 'timbre-voices-'));
  const log = createLogger({ name: 'voices-test', level: 'error' });
  const metrics = () => createMetrics({ service: 'voices-test' });

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
  const resources = { db: database.db, jobs, bus: services.bus, store: services.store };
  const server = await startVoices({
    resources,
    verifyIdentity: createIdentityVerifier(SECRET),
    host: '127.0.0.1',
    port: 0,
    log,
    metrics: metrics(),
  });

  const sign = createIdentitySigner(SECRET);
  const identityOf = (userId: string | null) =>
    sign({ userId, roles: [], scopes: [], plan: null, expiresAt: Math.floor(Date.now() / 1000) + 600 });

  return {
    ...resources,
    env,
    log,
    url: server.url,
    pool: database.pool,
    services,

    /** Somebody new; `null` is the anonymous caller. */
    person(userId: string | null = newId('usr')) {
      const token = identityOf(userId);
      return {
        id: userId,
        token,
        async ask<T>(query: string, variables: Record<string, unknown>, shape: z.ZodType<T>): Promise<T> {
          const { data, errors } = await this.raw(query, variables);
          if (errors !== undefined) throw new Error(JSON.stringify(errors));
          return shape.parse(data);
        },
        async raw(query: string, variables: Record<string, unknown> = {}) {
          const response = await fetch(`${server.url}/graphql`, {
            method: 'POST',
            headers: { 'content-type': 'application/json', [IDENTITY_HEADER]: token },
            body: JSON.stringify({ query, variables }),
          });
          return responseSchema.parse(await response.json());
        },
        /** The events of a subscription; ends with it. */
        async *follow<T>(query: string, variables: Record<string, unknown>, shape: z.ZodType<T>): AsyncGenerator<T> {
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

    /** A worker in this process, as `worker.ts` runs one. */
    async work(engine: (SpeechEngine & VoiceFitter) | null) {
      const own = createJobs({ url: database.url, log, max: 2 });
      return runJobs({ ...resources, jobs: own, engine, log });
    },

    async close() {
      await server.close({ deadlineMs: 1000 });
      await media.close({ deadlineMs: 1000 });
      await jobs.stop({ graceMs: 1000 });
      await services.close();
      await database.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
