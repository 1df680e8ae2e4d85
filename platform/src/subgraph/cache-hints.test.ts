import { afterAll, beforeAll, expect, test } from 'vitest';
import type { HttpServer } from '../http-server.ts';
import { createIdentitySigner, createIdentityVerifier, IDENTITY_HEADER } from '../identity.ts';
import { createLogger } from '../logger.ts';
import { createMetrics } from '../metrics.ts';
import { startSubgraph } from '../subgraph-server.ts';
import type { RequestContext } from '../subgraph-server.ts';

const secret = 'the identity secret of this test, long enough';
const identity = createIdentitySigner(secret)({
  userId: null,
  roles: [],
  scopes: [],
  plan: null,
  expiresAt: Math.floor(Date.now() / 1000) + 600,
});

const typeDefs = /* GraphQL */ `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
  directive @cacheControl(
    maxAge: Int
    scope: CacheControlScope
    inheritMaxAge: Boolean
  ) on FIELD_DEFINITION | OBJECT | INTERFACE | UNION
  enum CacheControlScope {
    PUBLIC
    PRIVATE
  }
  type Book @key(fields: "id") @cacheControl(maxAge: 60) {
    id: ID!
    title: String
    stock: Int @cacheControl(maxAge: 5)
    author: Author
    cover: Cover @cacheControl(inheritMaxAge: true)
    part: Part
    mine: Boolean @cacheControl(scope: PRIVATE)
    live: Int @cacheControl(maxAge: 0)
    fails: Int
    changesIn(seconds: Float!): Int
  }
  type Author {
    name: String
  }
  type Cover {
    color: String
  }
  type Part @cacheControl(inheritMaxAge: true) {
    number: Int
  }
  type Film @key(fields: "id") @cacheControl(maxAge: 20, scope: PRIVATE) {
    id: ID!
    title: String
  }
  type Unmarked @key(fields: "id") {
    id: ID!
  }
  union Work = Book | Film
  union Anything = Book | Unmarked
  type Query {
    book: Book
    shelf: Book @cacheControl(maxAge: 10, scope: PRIVATE)
    work: Work
    anything: Anything
    unmarked: Unmarked
    count: Int
    hinted: Int @cacheControl(maxAge: 7)
    inherited: Part
  }
  type Mutation {
    change: Book
  }
`;

const book = {
  __typename: 'Book',
  id: '1',
  title: 'T',
  author: { name: 'A' },
  cover: { color: 'red' },
  part: { number: 1 },
  fails: () => {
    throw new Error('no');
  },
  changesIn({ seconds }: { seconds: number }, { caching }: RequestContext) {
    caching.restrict(seconds);
    return 1;
  },
};

let server: HttpServer;
beforeAll(async () => {
  const log = createLogger({ name: 'test', level: 'silent' });
  server = await startSubgraph({
    name: 'hints',
    typeDefs,
    resolvers: {
      Query: { book: () => book, shelf: () => book, work: () => book, hinted: () => 1, inherited: () => book.part },
      Mutation: { change: () => book },
    },
    createContext: (base) => base,
    verifyIdentity: createIdentityVerifier(secret),
    port: 0,
    host: '127.0.0.1',
    ready: () => undefined,
    log,
    metrics: createMetrics({ service: 'hints' }),
  });
});
afterAll(() => server.close({ deadlineMs: 200 }));

async function headerOf(query: string, variables: object = {}): Promise<string | null> {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', [IDENTITY_HEADER]: identity },
    body: JSON.stringify({ query, variables }),
  });
  return response.headers.get('cache-control');
}

test.each([
  ['{ book { title __typename } }', 'max-age=60, public'],
  ['{ book { stock } }', 'max-age=5, public'],
  ['{ ...F } fragment F on Query { book { ...B } } fragment B on Book { stock }', 'max-age=5, public'],
  ['{ book { cover { color } part { number } } }', 'max-age=60, public'],
  ['{ book { mine } }', 'max-age=60, private'],
  ['{ shelf { title } }', 'max-age=10, private'],
  ['{ hinted }', 'max-age=7, public'],
  ['{ work { ... on Book { title } } }', 'max-age=20, private'],
  ['{ a: book { title } shelf { title } }', 'max-age=10, private'],
  ['query ($r: [_Any!]!) { _entities(representations: $r) { ... on Book { title } } }', 'max-age=60, public'],
  ['query ($r: [_Any!]!) { _entities(representations: $r) { ... on Film { title } } }', 'max-age=20, private'],
])('%s may be kept', async (query, header) => {
  const variables = { r: [{ __typename: 'Book', id: '1' }] };
  expect(await headerOf(query, variables)).toBe(header);
  expect(await headerOf(query, variables)).toBe(header);
});

test('what an answer contains can only make its time shorter, and only its own', async () => {
  expect(await headerOf('{ book { changesIn(seconds: 20.5) } }')).toBe('max-age=20, public');
  expect(await headerOf('{ a: book { changesIn(seconds: 40) } b: book { changesIn(seconds: 30) } }')).toBe(
    'max-age=30, public',
  );
  const query = 'query ($s: Float!) { shelf { changesIn(seconds: $s) } }';
  expect(await headerOf(query, { s: 3 })).toBe('max-age=3, private');
  expect(await headerOf(query, { s: 300 })).toBe('max-age=10, private');
});

test.each([
  '{ count }',
  '{ unmarked { id } }',
  '{ inherited { number } }',
  '{ anything { __typename } }',
  '{ book { author { name } } }',
  '{ book { live } }',
  '{ book { fails } }',
  '{ hinted count }',
  'mutation { change { title } }',
  'query ($r: [_Any!]!) { _entities(representations: $r) { ... on Unmarked { id } } }',
  '{ book { changesIn(seconds: 0.9) } }',
  '{ a: book { changesIn(seconds: 20) } b: book { changesIn(seconds: 0) } }',
  '{ nothing }',
  '{ __typename }',
])('%s may not', async (query) => {
  const cacheControl = await headerOf(query, { r: [{ __typename: 'Unmarked', id: '1' }] });
  expect([null, 'no-store']).toContain(cacheControl);
});
