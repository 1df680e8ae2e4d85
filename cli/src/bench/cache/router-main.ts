import { readFileSync } from 'node:fs';
import { startHttpServer } from '@timbre/platform/http-server';
import { createLogger } from '@timbre/platform/logger';
import { createMetrics } from '@timbre/platform/metrics';
import { startAuthentication } from '@timbre/router/auth/start-authentication';
import { createRouter } from '@timbre/router/router';
import { cachedRouterSchema } from './start-router.ts';

// A router that authenticates and, perhaps, keeps what subgraphs answer. Argument: what `startCachedRouter` passes as JSON.
const settings = cachedRouterSchema.parse(JSON.parse(process.argv[2] ?? ''));
const { issuer, audience, jwks } = settings.issuer;

const log = createLogger({ name: 'router', level: 'warn' });
const metrics = createMetrics({ service: 'router' });

async function sharedStore(url: string) {
  const { createRedisVersionedStore } = await import('@timbre/platform/cache/redis-versioned-store');
  return { store: createRedisVersionedStore({ url, log }) };
}

const router = await createRouter({
  supergraph: readFileSync(settings.supergraphFile, 'utf8'),
  authenticate: startAuthentication({ issuers: [{ issuer, audiences: [audience], jwks }], users: null, bus: null, log })
    .authenticate,
  responseCache: settings.caches
    ? { mutations: settings.mutations, ...(settings.redisUrl === null ? {} : await sharedStore(settings.redisUrl)) }
    : null,
  log,
  registry: metrics.registry,
});
await startHttpServer({
  port: settings.port,
  host: '127.0.0.1',
  metrics,
  log,
  ready: () => undefined,
  handler: router.handle,
});
