import { createIdentityVerifier } from '@timbre/platform/identity';
import { createLogger } from '@timbre/platform/logger';
import { createMetrics } from '@timbre/platform/metrics';
import { startSubgraph } from '@timbre/platform/subgraph-server';
import type { Tracing } from '@timbre/platform/telemetry/tracing';
import { freePort } from '@timbre/platform/testing/free-port';

export const IDENTITY_SECRET = 'the identity secret of the router tests';

/** One subgraph that can be stopped and started again at its address. */
export async function startTestSubgraph(
  name: string,
  typeDefs: string,
  resolvers: object,
  tracing: Tracing | null = null,
) {
  const log = createLogger({ name, level: 'silent' });
  const port = await freePort();
  const start = () =>
    startSubgraph({
      name,
      typeDefs,
      resolvers,
      createContext: (base) => base,
      verifyIdentity: createIdentityVerifier(IDENTITY_SECRET),
      port,
      host: '127.0.0.1',
      ready: () => undefined,
      log,
      metrics: createMetrics({ service: name }),
      tracing,
    });
  let server = await start();
  return {
    url: `${server.url}/graphql`,
    stop: () => server.close({ deadlineMs: 200 }),
    start: async () => {
      server = await start();
    },
  };
}
