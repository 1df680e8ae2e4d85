import { drizzle, type PostgresJsDatabase, type PostgresJsTransaction } from 'drizzle-orm/postgres-js';
import type { ExtractTablesWithRelations } from 'drizzle-orm';
import postgres from 'postgres';
import * as schema from './schema.ts';

export type Schema = typeof schema;
export type Sql = postgres.Sql;
export type Db = PostgresJsDatabase<Schema>;
export type Tx = PostgresJsTransaction<Schema, ExtractTablesWithRelations<Schema>>;
/** A read that does not care whether it runs in the caller's transaction. */
export type DbOrTx = Db | Tx;

export interface DbClient {
  db: Db;
  /** The same pool, for what drizzle has no word for. Timestamps come back as strings here, as Dates through `db`. */
  sql: Sql;
  /** Waits at most 5 s for queries in flight. */
  close(): Promise<void>;
}

export interface DbOptions {
  /** Connections in the pool; 10 unless told. */
  max?: number;
  /** Shown in pg_stat_activity. */
  name?: string;
}

/**
 * A lazily connecting pool, which outlives restarts of the server: a query that was in flight then rejects, the next
 * one reconnects. Column names are snake_case in the database and camelCase here.
 */
export function createDb(url: string, { max = 10, name = 'timbre' }: DbOptions = {}): DbClient {
  const sql = postgres(url, {
    max,
    connect_timeout: 10,
    idle_timeout: 60,
    // The default grows to a minute, which is how long a pool would then ignore a server that is back.
    backoff: (retries) => Math.min(0.05 * 2 ** retries, 1),
    onnotice: () => {},
    connection: { application_name: name },
  });
  return { db: drizzle({ client: sql, schema, casing: 'snake_case' }), sql, close: () => sql.end({ timeout: 5 }) };
}
