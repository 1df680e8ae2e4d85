import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { inject } from 'vitest';
import { createDb, type Db, type DbOptions, type Sql } from '../client.ts';
import { TEMPLATE } from './template.ts';

export interface TestDatabase {
  url: string;
  db: Db;
  sql: Sql;
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
  const { db, sql, close } = createDb(url.href, options);
  return {
    url: url.href,
    db,
    sql,
    async drop() {
      await close();
      await administrate(server, `drop database ${name} with (force)`);
    },
  };
}

async function administrate(server: string, statement: string): Promise<void> {
  const sql = postgres(server, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}
