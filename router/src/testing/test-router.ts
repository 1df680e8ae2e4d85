import { startHttpServer } from '@timbre/platform/http-server';
import { createIdentitySigner } from '@timbre/platform/identity';
import { createLogger } from '@timbre/platform/logger';
import { createMetrics } from '@timbre/platform/metrics';
import { createClient } from 'graphql-ws';
import type { Client, FormattedExecutionResult, SubscribePayload } from 'graphql-ws';
import type { GraphQLFormattedError } from 'graphql';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { createAuthenticator } from '../auth/authenticator.ts';
import type { Authenticate } from '../auth/authenticator.ts';
import { createIdentitySource } from '../auth/identity-source.ts';
import { createLocalKeySet } from '../auth/key-set.ts';
import { createTokenRecognition } from '../auth/recognize-token.ts';
import type { TrustedIssuer } from '../auth/trusted-issuer.ts';
import { createTokenVerifier } from '../auth/verify-token.ts';
import { createRouter } from '../router.ts';
import type { Router } from '../router.ts';
import type { RouterOptions } from '../router-options.ts';
import { IDENTITY_SECRET } from './test-subgraph.ts';
import type { TestGraph } from './test-graph.ts';
import { AUDIENCE, ISSUER } from './test-issuer.ts';
import type { TestIssuer } from './test-issuer.ts';

export interface Answer {
  status: number;
  headers: Headers;
  type: string | null;
  data: Record<string, unknown> | null | undefined;
  errors: GraphQLFormattedError[];
  text: string;
}

const INVALIDATION_PATH = '/cache/invalidate';

export interface TestRouter {
  url: string;
  wsUrl: string;
  /** POSTs an operation as application/json. */
  query(
    query: string,
    options?: { token?: string; variables?: object; operationName?: string; headers?: Record<string, string> },
  ): Promise<Answer>;
  wsClient(token?: string): Client;
  /** Summed over all labels but those that are given. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
  reload(sdl: string): Promise<void>;
  configure: Router['configure'];
  usage: Router['usage'];
  trust(manifest: string): void;
  /** Closes the sockets, as a stop does. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

const bodySchema = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z.array(z.looseObject({ message: z.string() })).optional(),
});

/** A router on the test graph behind a real HTTP server, with the test issuer's tokens. */
export async function startTestRouter(
  graph: Pick<TestGraph, 'supergraph' | 'subgraphUrl'>,
  options: Partial<RouterOptions> & { issuer?: TestIssuer } = {},
): Promise<TestRouter> {
  const { issuer, ...routerOptions } = options;
  const log = createLogger({ name: 'router', level: 'silent' });
  const metrics = createMetrics({ service: 'router' });
  const verified = issuer === undefined ? {} : { authenticate: authenticatorOf(issuer) };
  const router = await createRouter({
    supergraph: graph.supergraph,
    subgraphUrl: graph.subgraphUrl,
    identityOf: createIdentitySource(createIdentitySigner(IDENTITY_SECRET)),
    log,
    registry: metrics.registry,
    ...verified,
    ...routerOptions,
  });
  const server = await startHttpServer({
    port: 0,
    host: '127.0.0.1',
    metrics,
    log,
    ready: () => undefined,
    handler: (req, res) =>
      req.url === INVALIDATION_PATH && router.invalidate !== null
        ? router.invalidate(req, res)
        : router.handle(req, res),
    upgrade: router.upgrade,
    onDrain: router.drain,
  });
  const url = `${server.url}/graphql`;
  const clients: Client[] = [];

  return {
    url,
    wsUrl: url.replace(/^http/, 'ws'),
    async query(query, { token, variables, operationName, headers = {} } = {}) {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...headers,
        },
        body: JSON.stringify({ query, variables, operationName }),
      });
      return answerOf(response);
    },
    wsClient(token) {
      const client = createClient({
        url: url.replace(/^http/, 'ws'),
        webSocketImpl: WebSocket,
        retryAttempts: 0,
        ...(token === undefined ? {} : { connectionParams: { Authorization: `Bearer ${token}` } }),
      });
      clients.push(client);
      return client;
    },
    async metric(name, labels = {}) {
      const all = await metrics.registry.getMetricsAsJSON();
      const found = all.find((metric) => metric.name === name);
      return (found?.values ?? [])
        .filter((sample) =>
          Object.entries(labels).every(([label, value]) => Reflect.get(sample.labels, label) === value),
        )
        .reduce((sum, { value }) => sum + value, 0);
    },
    reload: router.reload,
    configure: router.configure,
    usage: router.usage,
    trust: router.trust,
    drain: router.drain,
    async close() {
      for (const client of clients) await client.dispose();
      await server.close({ deadlineMs: 500 });
      await router.close();
    },
  };
}

export function trusted(issuer: TestIssuer): TrustedIssuer {
  return { issuer: ISSUER, audiences: [AUDIENCE], keys: createLocalKeySet(issuer.jwks) };
}

/** Of the tokens of an issuer, whose subjects are the users. */
export function authenticatorOf(issuer: TestIssuer): Authenticate {
  const verify = createTokenVerifier([trusted(issuer)]);
  return createAuthenticator({ token: createTokenRecognition({ verify, resolver: null }) }).authenticate;
}

export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  const json = bodySchema.safeParse(text.startsWith('{') ? JSON.parse(text) : {});
  return {
    status: response.status,
    headers: response.headers,
    type: response.headers.get('content-type'),
    data: json.data?.data,
    errors: json.data?.errors ?? [],
    text,
  };
}

export const codesOf = ({ errors }: { errors?: readonly GraphQLFormattedError[] | undefined }) =>
  (errors ?? []).map((error) => error.extensions?.['code']);

/** Everything that a subscription gives until it ends; its error, if that is how it ends. */
export async function collect(client: Client, payload: SubscribePayload, onEvent?: (count: number) => void) {
  const events: FormattedExecutionResult[] = [];
  let failure: unknown = null;
  await new Promise<void>((resolve) => {
    client.subscribe<Record<string, unknown>, Record<string, unknown>>(payload, {
      next: (event) => {
        events.push(event);
        onEvent?.(events.length);
      },
      error: (error) => {
        failure = error;
        resolve();
      },
      complete: () => resolve(),
    });
  });
  return { events, failure };
}
