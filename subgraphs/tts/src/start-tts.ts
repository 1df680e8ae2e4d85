import { readFileSync } from 'node:fs';
import type { HttpServer } from '@timbre/platform/http-server';
import type { IdentityVerifier } from '@timbre/platform/identity';
import type { Metrics } from '@timbre/platform/metrics';
import { startSubgraph } from '@timbre/platform/subgraph-server';
import type { Tracing } from '@timbre/platform/telemetry/tracing';
import { sql } from 'drizzle-orm';
import { createContextFactory } from './context.ts';
import { resolvers } from './resolvers/index.ts';
import type { Deps } from './services/deps.ts';

export interface TtsOptions {
  deps: Deps;
  verifyIdentity: IdentityVerifier;
  host: string;
  port: number;
  metrics: Metrics;
  /** Null: off. */
  tracing?: Tracing | null;
}

/** The subgraph over what it is made of, which stays the caller's to close. */
export function startTts({ deps, ...options }: TtsOptions): Promise<HttpServer> {
  return startSubgraph({
    ...options,
    log: deps.log,
    name: 'tts',
    typeDefs: readFileSync(new URL('../../../schema/tts.graphql', import.meta.url), 'utf8'),
    resolvers,
    createContext: createContextFactory(deps),
    async ready() {
      await deps.db.execute(sql`select 1`);
      await deps.store.check();
    },
  });
}
