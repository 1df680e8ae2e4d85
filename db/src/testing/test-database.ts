import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { inject } from 'vitest';
import { createDb, type Db, type DbOptions } from '../client.ts';
import { administrate } from './administrate.ts';
import { TEMPLATE } from './template.ts';

export interface TestDatabase {
  url: string;
  db: Db;
  pool: Pool;
  /** Closes the pool and drops the database, whoever is still connected. */
  drop(): Promise<void>;
}

/** A migrated database of its own for one test file (tables, job queues), about 50 ms. Needs vitest's global setup. */
export async function createTestDatabase(options: DbOptions = {}): Promise<TestDatabase> {
  const server = inject('postgresUrl');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await administrate(server, `create database ${name} template ${TEMPLATE} strategy file_copy`);
  const url = new URL(server);
  url.pathname = name;
  const client = createDb(url.href, options);
  return {
    url: url.href,
    db: client.db,
    pool: client.pool,
    async drop() {
      await client.close();
      await administrate(server, `drop database ${name} with (force)`);
    },
  };
}
