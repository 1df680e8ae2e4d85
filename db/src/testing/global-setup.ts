import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../embedded/start.ts';
import { migrate } from '../migrate.ts';
import { administrate } from './administrate.ts';
import { TEMPLATE } from './template.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Of the server that the whole run shares; its database is for administration only. */
    postgresUrl: string;
  }
}

/** One PostgreSQL for the whole run, with a migrated database that test files copy. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp(join(tmpdir(), 'timbre-test-'));
  const server = await startEmbeddedPostgres({ dataDir, fsync: false });
  await administrate(server.url, `create database ${TEMPLATE}`);
  const template = new URL(server.url);
  template.pathname = TEMPLATE;
  await migrate(template.href);
  project.provide('postgresUrl', server.url);
  return async () => {
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
}
