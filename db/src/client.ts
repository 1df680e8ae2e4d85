import type { ExtractTablesWithRelations } from 'drizzle-orm';
import { drizzle, type NodePgDatabase, type NodePgTransaction } from 'drizzle-orm/node-postgres';
import { Pool, type PoolClient } from 'pg';
import { describeOnce } from './describe-once.ts';
import { traceQueries } from './trace-queries.ts';
import * as schema from './schema.ts';

export type Schema = typeof schema;
export type Db = NodePgDatabase<Schema>;
export type Tx = NodePgTransaction<Schema, ExtractTablesWithRelations<Schema>>;
/** A read that does not care whether it runs in the caller's transaction. */
export type DbOrTx = Db | Tx;

export interface DbClient {
  db: Db;
  pool: Pool;
  /** Waits for queries in flight. */
  close(): Promise<void>;
}

export interface DbOptions {
  /** Connections in the pool; 10 unless told. */
  max?: number;
  /** Shown in pg_stat_activity. */
  name?: string;
  /** Whether queries are spans of what they are made for; default false. */
  traced?: boolean;
}

type WithSpans = <Client extends Pool | PoolClient>(client: Client) => Client;

/**
 * A lazily connecting pool, which outlives restarts of the server: what was in flight then rejects, the next query
 * connects anew. Column names are snake_case in the database and camelCase here.
 *
 * The driver is node-postgres because postgres.js (3.4.9) does not outlive them: a transaction whose connection dies
 * ends the process with an exception nobody can catch (porsager/postgres#1208), or leaves a connection in the pool
 * that never answers again.
 */
export function createDb(url: string, { max = 10, name = 'timbre', traced = false }: DbOptions = {}): DbClient {
  const pool = new Pool({
    connectionString: url,
    max,
    application_name: name,
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
  });
  // An idle connection that dies is replaced; a checked-out one has no listener of the pool's, and its query rejects.
  pool.on('error', () => {});
  pool.on('connect', (client) => {
    client.on('error', () => {});
    describeOnce(client);
  });
  const withSpans: WithSpans = traced ? traceQueries : (client) => client;
  const db = drizzle({ client: withSpans(pool), schema, casing: 'snake_case' });
  return { db: Object.assign(db, { transaction: safeTransaction(pool, withSpans) }), pool, close: () => pool.end() };
}

/**
 * Drizzle's own does not return the connection to the pool when BEGIN fails, so that each restart of the server would
 * cost the pool a few, and where ROLLBACK fails it hides the reason for the rollback.
 */
function safeTransaction(pool: Pool, withSpans: WithSpans): Db['transaction'] {
  return async (run, config) => {
    const client = await pool.connect();
    let reason: { error: unknown } | null = null;
    try {
      return await drizzle({ client: withSpans(client), schema, casing: 'snake_case' }).transaction(async (tx) => {
        try {
          return await run(tx);
        } catch (error) {
          reason = { error };
          throw error;
        }
      }, config);
    } catch (error) {
      throw reasonOr(reason, error);
    } finally {
      client.release(); // a broken one is discarded
    }
  };
}

const reasonOr = (reason: { error: unknown } | null, error: unknown) => (reason === null ? error : reason.error);
