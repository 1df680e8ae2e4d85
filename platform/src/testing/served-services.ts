import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startHttpServer } from '../http-server.ts';
import type { HttpHandler } from '../http-server.ts';
import type { Logger } from '../logger.ts';
import { createMetrics } from '../metrics.ts';
import { openServices } from '../services.ts';
import { TEST_SECRET } from './caller.ts';

/** The embedded services in a directory of their own, their objects behind a real HTTP server as the router mounts them. */
export async function openServedServices(databaseUrl: string, log: Logger) {
  const dataDir = await mkdtemp(join(tmpdir(), 'timbre-services-'));
  // The server's address is part of every URL, so it is there before what it serves.
  let answer: HttpHandler = () => undefined;
  const server = await startHttpServer({
    host: '127.0.0.1',
    port: 0,
    log,
    metrics: createMetrics({ service: 'media-test' }),
    ready: () => undefined,
    handler: (req, res) => answer(req, res),
  });
  const env = { DATA_DIR: dataDir, DATABASE_URL: databaseUrl, IDENTITY_SECRET: TEST_SECRET, PUBLIC_URL: server.url };
  const services = await openServices(env, { log });
  if (services.media === null) throw new Error('The filesystem store has a media handler.');
  answer = services.media;
  return {
    /** For a process that is to use the same. */
    env,
    services,
    async close() {
      await server.close({ deadlineMs: 1000 });
      await services.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
