import { readFileSync } from 'node:fs';
import type { Db } from '@timbre/db/client';
import type { ApiKeys } from '@timbre/platform/api-key';
import type { Bus } from '@timbre/platform/bus/bus';
import type { HttpServer } from '@timbre/platform/http-server';
import type { IdentityVerifier } from '@timbre/platform/identity';
import type { Logger } from '@timbre/platform/logger';
import type { Metrics } from '@timbre/platform/metrics';
import { startSubgraph } from '@timbre/platform/subgraph-server';
import type { Tracing } from '@timbre/platform/telemetry/tracing';
import { sql } from 'drizzle-orm';
import { createContextFactory } from './context.ts';
import { resolvers } from './resolvers/index.ts';
import { routesForRouter } from './routes/index.ts';

export interface UsersOptions {
  db: Db;
  keys: ApiKeys;
  bus: Bus;
  verifyIdentity: IdentityVerifier;
  host: string;
  port: number;
  log: Logger;
  metrics: Metrics;
  /** Null: off. */
  tracing?: Tracing | null;
}

/** The subgraph over a database and a bus that stay the caller's to close. */
export async function startUsers({ db, keys, bus, ...options }: UsersOptions): Promise<HttpServer> {
  return startSubgraph({
    ...options,
    name: 'users',
    typeDefs: readFileSync(new URL('../../../schema/users.graphql', import.meta.url), 'utf8'),
    resolvers,
    createContext: createContextFactory({ db, keys, bus }),
    ready: async () => void (await db.execute(sql`select 1`)),
    routes: routesForRouter({ db, keys, bus }, options.verifyIdentity),
  });
}
