import { setTimeout as delay } from 'node:timers/promises';
import DataLoader from 'dataloader';
import { createClient } from 'graphql-ws';
import type { Client } from 'graphql-ws';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { AppError } from './errors.ts';
import type { HttpServer } from './http-server.ts';
import { createIdentitySigner, createIdentityVerifier, IDENTITY_HEADER, REQUEST_ID_HEADER } from './identity.ts';
import type { Identity } from './identity.ts';
import { createLogger } from './logger.ts';
import { createMetrics } from './metrics.ts';
import { startSubgraph } from './subgraph-server.ts';
import type { RequestContext } from './subgraph-server.ts';
import { requireViewer } from './viewer.ts';

const secret = 'the identity secret of this test, long enough';
const sign = createIdentitySigner(secret);
const identityOf = (userId: string | null): Identity => ({
  userId,
  roles: [],
  scopes: [],
  plan: null,
  expiresAt: Math.floor(Date.now() / 1000) + 60,
});

const typeDefs = /* GraphQL */ `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
  type Voice @key(fields: "id") {
    id: ID!
    name: String
    loads: Int
  }
  type Query {
    viewer: String
    add(a: Int!, b: Int!): Int
    fails: String
    refuses: String
    impossible: String!
    badValue: Int
    slow: String
  }
  type Subscription {
    names: Voice
    leaks: Int
    breaks: Int
  }
`;

interface Context extends RequestContext {
  voices: DataLoader<string, { id: string; name: string; loads: number } | Error>;
}

let names = 'first';
const batches: string[][] = [];
const logged: string[] = [];
let ended = Promise.withResolvers<unknown>();
const slowly = Promise.withResolvers<void>();
const slowStarted = Promise.withResolvers<void>();

function createContext(base: RequestContext): Context {
  let loads = 0;
  return {
    ...base,
    voices: new DataLoader(async (ids) => {
      batches.push([...ids]);
      loads += 1;
      return ids.map((id) => (id === 'gone' ? new Error('row lock: relation "secret"') : { id, name: names, loads }));
    }),
  };
}

const resolvers = {
  Query: {
    viewer: (_: unknown, __: unknown, context: Context) => requireViewer(context.identity),
    add: (_: unknown, { a, b }: { a: number; b: number }) => a + b,
    fails: () => {
      throw new Error('password authentication failed for user "timbre"');
    },
    refuses: () => {
      throw new AppError('RATE_LIMITED', 'Too fast.', { details: { retryAfterMs: 5 } });
    },
    impossible: () => null,
    badValue: () => 'secret value',
    slow: async () => {
      slowStarted.resolve();
      await slowly.promise;
      return 'done';
    },
  },
  Voice: {
    __resolveReference: ({ id }: { id: string }, context: Context) => {
      if (id === 'throws') throw new AppError('BAD_USER_INPUT', 'Not an id.');
      return context.voices.load(id);
    },
  },
  Subscription: {
    names: {
      async *subscribe(_: unknown, __: unknown, context: Context) {
        for (const name of ['one', 'two']) {
          names = name;
          yield { names: await context.voices.load('v') };
          yield { names: { id: 'v' } };
        }
      },
      resolve: (event: { names: { id: string } }, _: unknown, context: Context) => context.voices.load(event.names.id),
    },
    leaks: {
      async *subscribe(_: unknown, __: unknown, { signal }: Context) {
        yield { leaks: 1 };
        await delay(60_000, undefined, { signal }).catch(() => undefined);
        ended.resolve(signal.reason);
      },
    },
    breaks: {
      async *subscribe() {
        yield { breaks: 1 };
        throw new Error('connection to 10.0.0.7 lost');
      },
    },
  },
};

let server: HttpServer;
let client: Client;

async function start(): Promise<HttpServer> {
  return startSubgraph({
    name: 'test',
    typeDefs,
    resolvers,
    createContext,
    verifyIdentity: createIdentityVerifier(secret),
    port: 0,
    host: '127.0.0.1',
    ready: () => undefined,
    log: createLogger({ name: 'test', level: 'warn', stream: { write: (line) => void logged.push(line) } }),
    metrics: createMetrics({ service: 'test' }),
    maxBodyBytes: 10_000,
    routes: [{ method: 'POST', path: '/internal/echo', handle: (_req, res) => void res.end('echo') }],
  });
}

const newClient = (url: string) =>
  createClient({ url: `${url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket, retryAttempts: 0, lazy: true });

beforeAll(async () => {
  server = await start();
  client = newClient(server.url);
});
afterAll(async () => {
  await client.dispose();
  await server.close();
});

interface Answer {
  status: number;
  requestId: string | null;
  body: {
    data?: Record<string, unknown> | null;
    errors?: { message: string; path?: unknown; extensions: Record<string, unknown> }[];
  };
}

async function ask(
  query: string,
  init: { variables?: object; headers?: Record<string, string>; identity?: string | null } = {},
): Promise<Answer> {
  const identity = init.identity === undefined ? sign(identityOf('usr_1')) : init.identity;
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(identity === null ? {} : { [IDENTITY_HEADER]: identity }),
      ...init.headers,
    },
    body: JSON.stringify({ query, variables: init.variables }),
  });
  const body: Answer['body'] = JSON.parse(await response.text());
  return { status: response.status, requestId: response.headers.get(REQUEST_ID_HEADER), body };
}

async function collect(
  query: string,
  extensions: Record<string, unknown> = { identity: sign(identityOf('usr_1')) },
): Promise<unknown[]> {
  const results: unknown[] = [];
  try {
    for await (const result of client.iterate({ query, extensions })) results.push(result);
  } catch (errors) {
    results.push(errors);
  }
  return results;
}

test('the identity reaches the resolver', async () => {
  expect((await ask('{ viewer }')).body).toEqual({ data: { viewer: 'usr_1' } });
});

test('without a valid identity nothing is executed', async () => {
  const forged = createIdentitySigner(`${secret}x`)(identityOf('usr_1'));
  for (const identity of [null, '', 'v1.x.y', forged]) {
    const answer = await ask('{ viewer }', { identity });
    expect(answer.status).toBe(401);
    expect(answer.body.errors?.[0]?.extensions['code']).toBe('UNAUTHENTICATED');
    expect(answer.body.data).toBeUndefined();
  }
});

test('an anonymous caller is told to sign in where a viewer is needed', async () => {
  const { status, body } = await ask('{ viewer add(a: 1, b: 2) }', { identity: sign(identityOf(null)) });
  expect(status).toBe(200);
  expect(body.data).toEqual({ viewer: null, add: 3 });
  expect(body.errors?.[0]).toMatchObject({ path: ['viewer'], extensions: { code: 'UNAUTHENTICATED' } });
});

test('an error of ours keeps its code and details, any other is masked and logged under the request id', async () => {
  logged.length = 0;
  const { body, requestId } = await ask('{ refuses fails impossible }', { headers: { [REQUEST_ID_HEADER]: 'req-77' } });
  expect(requestId).toBe('req-77');
  const byPath = Object.fromEntries((body.errors ?? []).map((error) => [String(error.path), error]));
  expect(byPath['refuses']).toMatchObject({
    message: 'Too fast.',
    extensions: { code: 'RATE_LIMITED', details: { retryAfterMs: 5 }, requestId: 'req-77' },
  });
  for (const path of ['fails', 'impossible']) {
    expect(byPath[path]).toMatchObject({ extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: 'req-77' } });
  }
  expect(JSON.stringify(body)).not.toContain('password');
  expect(JSON.stringify(body)).not.toContain('stack');
  expect(logged.join('')).toContain('password authentication failed');
  expect(logged.join('')).toContain('"requestId":"req-77"');
});

test("a value that cannot be serialized is our fault and not shown; a bad argument is the caller's", async () => {
  const bad = await ask('{ badValue }');
  expect(bad.body.errors?.[0]?.extensions['code']).toBe('INTERNAL_SERVER_ERROR');
  expect(JSON.stringify(bad.body)).not.toContain('secret value');
  const variable = await ask('query ($a: Int!) { add(a: $a, b: 1) }', { variables: { a: 'x' } });
  expect(variable.body.errors?.[0]?.extensions['code']).toBe('BAD_USER_INPUT');
  const unknown = await ask('{ nothing }');
  expect(unknown.body.errors?.[0]?.extensions['code']).toBe('GRAPHQL_VALIDATION_FAILED');
  const unparsed = await ask('{');
  expect(unparsed.body.errors?.[0]?.extensions['code']).toBe('GRAPHQL_PARSE_FAILED');
});

test('a request id that is not of a harmless form is replaced', async () => {
  const { requestId } = await ask('{ viewer }', { headers: { [REQUEST_ID_HEADER]: 'a b\tc' } });
  expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
});

test('introspection is off, and so is everything but POST and JSON of a bounded size', async () => {
  expect((await ask('{ __schema { types { name } } }')).body.errors).toBeDefined();
  const headers = { [IDENTITY_HEADER]: sign(identityOf('usr_1')) };
  const url = `${server.url}/graphql`;
  expect((await fetch(`${url}?query={viewer}`, { headers })).status).toBe(405);
  expect((await fetch(url, { method: 'POST', headers, body: 'x' })).status).toBe(415);
  const json = { ...headers, 'content-type': 'application/json' };
  expect((await fetch(url, { method: 'POST', headers: json, body: '{' })).status).toBe(400);
  expect((await ask(`{ viewer } # ${'x'.repeat(10_000)}`)).status).toBe(413);
  expect((await fetch(`${server.url}/internal/echo`, { method: 'POST' })).status).toBe(200);
  expect((await fetch(`${server.url}/internal/echo`)).status).toBe(404);
});

const ENTITIES = 'query ($r: [_Any!]!) { _entities(representations: $r) { ... on Voice { id name } } }';

test('entities of one request are loaded in one batch', async () => {
  batches.length = 0;
  names = 'n';
  const r = ['a', 'b', 'c', 'a'].map((id) => ({ __typename: 'Voice', id }));
  const { body } = await ask(ENTITIES, { variables: { r } });
  expect(body.data?.['_entities']).toEqual(['a', 'b', 'c', 'a'].map((id) => ({ id, name: 'n' })));
  expect(batches).toEqual([['a', 'b', 'c']]);
});

test('an entity that fails, at once or later, takes no other with it', async () => {
  const r = ['a', 'throws', 'gone'].map((id) => ({ __typename: 'Voice', id }));
  const { body } = await ask(ENTITIES, { variables: { r } });
  expect(body.data?.['_entities']).toEqual([{ id: 'a', name: 'n' }, null, null]);
  expect(body.errors?.map(({ path, extensions }) => [path, extensions['code']])).toEqual([
    [['_entities', 1], 'BAD_USER_INPUT'],
    [['_entities', 2], 'INTERNAL_SERVER_ERROR'],
  ]);
});

test('each event of a subscription is resolved with loaders of its own', async () => {
  const results = await collect('subscription { names { name loads } }');
  expect(results).toEqual(['one', 'one', 'two', 'two'].map((name) => ({ data: { names: { name, loads: 1 } } })));
});

test('on the shared socket one bad subscribe closes nothing else', async () => {
  const good = client.iterate({ query: 'subscription { leaks }', extensions: { identity: sign(identityOf('usr_1')) } });
  expect(await good.next()).toMatchObject({ value: { data: { leaks: 1 } } });

  const code = (results: unknown[]) => JSON.stringify(results);
  expect(code(await collect('subscription { leaks }', {}))).toContain('UNAUTHENTICATED');
  expect(code(await collect('subscription { leaks }', { identity: 'v1.a.b' }))).toContain('UNAUTHENTICATED');
  expect(code(await collect('subscription {'))).toContain('GRAPHQL_PARSE_FAILED');
  expect(code(await collect('subscription { nothing }'))).toContain('GRAPHQL_VALIDATION_FAILED');

  const broken = await collect('subscription { breaks }', { identity: sign(identityOf('usr_1')), requestId: 'ws-9' });
  expect(broken[0]).toEqual({ data: { breaks: 1 } });
  expect(code(broken)).toContain('INTERNAL_SERVER_ERROR');
  expect(code(broken)).toContain('ws-9');
  expect(code(broken)).not.toContain('10.0.0.7');

  ended = Promise.withResolvers();
  await good.return?.();
  expect(await ended.promise).toMatchObject({ code: 'CANCELED' });
});

test('a socket that dies ends its subscriptions', async () => {
  ended = Promise.withResolvers();
  const other = newClient(server.url);
  const iterator = other.iterate({
    query: 'subscription { leaks }',
    extensions: { identity: sign(identityOf('usr_1')) },
  });
  await iterator.next();
  other.terminate();
  expect(await ended.promise).toMatchObject({ code: 'CANCELED' });
  await iterator.next().catch(() => undefined);
});

test('draining, it finishes what is in flight and then closes the sockets with 1001', async () => {
  const draining = await start();
  const closed = Promise.withResolvers<unknown>();
  const other = newClient(draining.url);
  other.on('closed', (event) => closed.resolve(event));
  const iterator = other.iterate({
    query: 'subscription { leaks }',
    extensions: { identity: sign(identityOf('usr_1')) },
  });
  await iterator.next();
  const response = fetch(`${draining.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', [IDENTITY_HEADER]: sign(identityOf('usr_1')) },
    body: '{"query":"{ slow }"}',
  });
  await slowStarted.promise;
  const done = draining.close();
  await delay(100);
  slowly.resolve();
  expect(await (await response).json()).toEqual({ data: { slow: 'done' } });
  expect(await closed.promise).toMatchObject({ code: 1001 });
  await done;
  await iterator.next().catch(() => undefined);
});
