import { readFileSync } from 'node:fs';
import type { Db } from '@timbre/db/client';
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
import { startReaper } from './services/reap-holds.ts';

export interface BillingOptions {
  db: Db;
  bus: Bus;
  verifyIdentity: IdentityVerifier;
  host: string;
  port: number;
  log: Logger;
  metrics: Metrics;
  /** Null: off. */
  tracing?: Tracing | null;
  /** Between two looks for expired holds; a minute unless told. */
  reapEveryMs?: number;
}

/** The subgraph and its reaper over a database and a bus, which stay the caller's to close. */
export async function startBilling({ db, bus, reapEveryMs, ...options }: BillingOptions): Promise<HttpServer> {
  const server = await startSubgraph({
    ...options,
    name: 'billing',
    typeDefs: readFileSync(new URL('../../../schema/billing.graphql', import.meta.url), 'utf8'),
    resolvers,
    createContext: createContextFactory(db, bus),
    ready: async () => void (await db.execute(sql`select 1`)),
  });
  const every = reapEveryMs === undefined ? {} : { everyMs: reapEveryMs };
  const reaper = startReaper({ db, bus, log: options.log, ...every });
  return {
    ...server,
    async close(closeOptions) {
      await reaper.stop();
      await server.close(closeOptions);
    },
  };
}
