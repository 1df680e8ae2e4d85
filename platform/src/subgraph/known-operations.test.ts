import { afterAll, beforeAll, expect, test } from 'vitest';
import { AppError } from '../errors.ts';
import type { HttpServer } from '../http-server.ts';
import { createIdentityVerifier, IDENTITY_HEADER, REQUEST_ID_HEADER } from '../identity.ts';
import { createLogger } from '../logger.ts';
import { createMetrics } from '../metrics.ts';
import { startSubgraph } from '../subgraph-server.ts';
import type { RequestContext } from '../subgraph-server.ts';
import { signedIdentity, TEST_SECRET } from '../testing/caller.ts';

const typeDefs = /* GraphQL */ `
  directive @cacheControl(maxAge: Int, scope: CacheControlScope) on FIELD_DEFINITION
  enum CacheControlScope {
    PUBLIC
    PRIVATE
  }
  type Query {
    add(a: Int!, b: Int!): Int @cacheControl(maxAge: 60)
    viewer: String
    breaks: String
    refuses: String @cacheControl(maxAge: 60)
    impossible: String! @cacheControl(maxAge: 60)
  }
  type Mutation {
    count: Int
  }
`;

let counted = 0;
const resolvers = {
  Query: {
    add: (_: unknown, { a, b }: { a: number; b: number }) => a + b,
    viewer: (_: unknown, __: unknown, { identity }: RequestContext) => identity.userId,
    breaks: () => {
      throw new Error('password authentication failed');
    },
    refuses: async () => {
      throw new AppError('RATE_LIMITED', 'Too fast.', { details: { retryAfterMs: 5 } });
    },
    impossible: () => null,
  },
  Mutation: { count: () => ++counted },
};

const logged: string[] = [];
let server: HttpServer;
beforeAll(async () => {
  server = await startSubgraph({
    name: 'test',
    typeDefs,
    resolvers,
    createContext: (base) => base,
    verifyIdentity: createIdentityVerifier(TEST_SECRET),
    port: 0,
    host: '127.0.0.1',
    ready: () => undefined,
    log: createLogger({ name: 'test', level: 'warn', stream: { write: (line) => void logged.push(line) } }),
    metrics: createMetrics({ service: 'test' }),
  });
});
afterAll(() => server.close());

async function post(body: unknown, headers: Record<string, string> = {}, userId = 'usr_1') {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      [IDENTITY_HEADER]: signedIdentity(userId),
      [REQUEST_ID_HEADER]: 'req-1',
      ...headers,
    },
    body: JSON.stringify(body),
  });
  const told = ['content-type', 'cache-control', REQUEST_ID_HEADER].map((name) => response.headers.get(name));
  const answer: unknown = JSON.parse(await response.text());
  return { status: response.status, told, answer };
}

const ADD = 'query Add($a: Int!) { add(a: $a, b: 1) }';
const JSON_TYPE = 'application/json; charset=utf-8';

test.each([
  ['data', { query: ADD, variables: { a: 1 } }, 200],
  ['data, under its name', { query: ADD, operationName: 'Add', variables: { a: 2 } }, 200],
  ['null variables', { query: '{ add(a: 1, b: 1) }', variables: null, extensions: null }, 200],
  ['variables that are refused', { query: ADD, variables: { a: 'x' } }, 400],
  ['variables that are missing', { query: ADD }, 400],
  ['variables that are a list', { query: ADD, variables: [1] }, 400],
  ['variables in a text', { query: ADD, variables: '{"a":1}' }, 400],
  ['a name that no operation has', { query: ADD, operationName: 'Other', variables: { a: 1 } }, 400],
  ['a name that is none', { query: ADD, operationName: 1, variables: { a: 1 } }, 400],
  ['one of two operations', { query: 'query A { viewer } query B { add(a: 1, b: 2) }', operationName: 'B' }, 200],
  ['neither of two operations', { query: 'query A { viewer } query B { add(a: 1, b: 2) }' }, 400],
  ['an error that is masked', { query: '{ breaks viewer }' }, 200],
  ['an error with a code', { query: '{ refuses add(a: 1, b: 2) }' }, 200],
  ['nothing, as a value is missing that must be there', { query: '{ impossible }' }, 200],
  ['what cannot be parsed', { query: '{' }, 400],
  ['what is not valid', { query: '{ nothing }' }, 400],
  ['extensions', { query: ADD, variables: { a: 1 }, extensions: { persistedQuery: { version: 1 } } }, 200],
])('the same request is answered the same way however often it is made: %s', async (_, body, status) => {
  const first = await post(body);
  expect(first.status).toBe(status);
  expect(first.told[0]).toBe(JSON_TYPE);
  for (const time of [2, 3]) expect(await post(body), `${time}`).toEqual(first);
});

test('an answer without errors says how long it may be kept, the first time and later', async () => {
  const kept = { status: 200, told: [JSON_TYPE, 'max-age=60, public', 'req-1'], answer: { data: { add: 4 } } };
  const query = '{ add(a: 1, b: 3) }';
  for (const time of [1, 2]) expect(await post({ query }), `${time}`).toEqual(kept);
});

test('each caller and each request is its own', async () => {
  const query = '{ viewer }';
  const answers = await Promise.all(['usr_1', 'usr_2', 'usr_1', 'usr_3'].map((user) => post({ query }, {}, user)));
  expect(answers.map(({ answer }) => answer)).toEqual(
    ['usr_1', 'usr_2', 'usr_1', 'usr_3'].map((viewer) => ({ data: { viewer } })),
  );
  expect((await post({ query }, { [REQUEST_ID_HEADER]: 'req-2' })).told[2]).toBe('req-2');
});

test('a mutation that is known is carried out once each time', async () => {
  const before = counted;
  for (const time of [1, 2, 3]) {
    expect((await post({ query: 'mutation { count }' })).answer).toEqual({ data: { count: before + time } });
  }
});

test('what was masked is logged under its request id', async () => {
  await post({ query: '{ breaks }' });
  logged.length = 0;
  await post({ query: '{ breaks }' }, { [REQUEST_ID_HEADER]: 'req-9' });
  expect(logged.join('')).toContain('password authentication failed');
  expect(logged.join('')).toContain('"requestId":"req-9"');
});

test('another form of answer is given to who accepts no other', async () => {
  const accept = 'application/graphql-response+json';
  for (const time of [1, 2]) {
    expect((await post({ query: '{ viewer }' }, { accept })).told[0], `${time}`).toMatch(accept);
  }
  expect((await post({ query: '{ viewer }' }, { accept: 'text/html' })).status).toBe(406);
});
