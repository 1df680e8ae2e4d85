import { readFileSync } from 'node:fs';
import type { HttpServer } from '@timbre/platform/http-server';
import type { IdentityVerifier } from '@timbre/platform/identity';
import type { Logger } from '@timbre/platform/logger';
import type { Metrics } from '@timbre/platform/metrics';
import { startSubgraph } from '@timbre/platform/subgraph-server';
import type { Tracing } from '@timbre/platform/telemetry/tracing';
import { sql } from 'drizzle-orm';
import { createContextFactory } from './context.ts';
import { upsertLibrary } from './library.ts';
import { resolvers } from './resolvers/index.ts';
import type { Resources } from './services/resources.ts';
import { createVoiceServices } from './services/voice-services.ts';

export interface VoicesOptions {
  resources: Resources;
  verifyIdentity: IdentityVerifier;
  host: string;
  port: number;
  log: Logger;
  metrics: Metrics;
  /** Null: off. */
  tracing?: Tracing | null;
}

/** The subgraph over its resources, which stay the caller's to close. */
export async function startVoices({ resources, ...options }: VoicesOptions): Promise<HttpServer> {
  const { db, store } = resources;
  await upsertLibrary(db);
  return startSubgraph({
    ...options,
    name: 'voices',
    typeDefs: readFileSync(new URL('../../../schema/voices.graphql', import.meta.url), 'utf8'),
    resolvers,
    createContext: createContextFactory(db, createVoiceServices(resources)),
    async ready() {
      await db.execute(sql`select 1`);
      await store.check();
    },
  });
}
