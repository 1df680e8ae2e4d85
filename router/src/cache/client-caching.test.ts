import { afterEach, beforeEach, expect, test } from 'vitest';
import { compose } from '../testing/compose.ts';
import { startCachedGraph } from '../testing/cached-graph.ts';
import type { CachedGraph } from '../testing/cached-graph.ts';
import { createTestIssuer } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';

let graph: CachedGraph;
let issuer: TestIssuer;
let router: TestRouter;

beforeEach(async () => {
  issuer = await createTestIssuer();
  graph = await startCachedGraph();
  router = await startTestRouter(graph, {
    issuer,
    responseCache: {},
    compression: true,
    propagateHeaders: ['traceparent', { name: 'X-Locale' }],
  });
});
afterEach(async () => {
  await router.close();
  await graph.close();
});

const get = (query: string, headers: Record<string, string> = {}) =>
  fetch(`${router.url}?query=${encodeURIComponent(query)}`, { headers: { accept: 'application/json', ...headers } });

const PRODUCT = '{ product(id: "p1") { name count } }';

test('clients may keep what subgraphs allow, for the shortest time that is left', async () => {
  graph.catalog.cacheControl = 'public, max-age=60';
  graph.stock.cacheControl = 'public, max-age=30';
  graph.stock.headers = { age: '10' };
  for (let round = 0; round < 2; round += 1) {
    const { headers } = await get(PRODUCT);
    expect(headers.get('cache-control')).toMatch(/^public, max-age=(?:2[5-9]|30)$/);
    expect(headers.get('age')).toMatch(/^1\d$/);
    expect(headers.get('vary')).toBe('accept, accept-encoding, authorization, x-api-key, cookie, x-locale');
  }
  // Without looking it up, too.
  const { headers } = await router.query(PRODUCT);
  expect(headers.get('cache-control')).toMatch(/^public/);
});

test('what has something of its caller is private, and asked for anew each time', async () => {
  const authorization = `Bearer ${await issuer.sign()}`;
  const first = await get(PRODUCT, { authorization });
  expect(first.headers.get('cache-control')).toBe('private, no-cache');
  const again = { authorization, 'if-none-match': first.headers.get('etag') ?? '' };
  expect((await get(PRODUCT, again)).status).toBe(304);
  await router.query('mutation { setCount(id: "p1", count: 3) { id } }', { token: authorization.slice(7) });
  expect((await get(PRODUCT, again)).status).toBe(200);
  expect((await get(PRODUCT, { cookie: 'a=b' })).headers.get('cache-control')).toBe('private, no-cache');
  expect((await get(PRODUCT)).headers.get('cache-control')).toMatch(/^public/);
  graph.stock.cacheControl = 'private, max-age=30';
  expect((await get('{ product(id: "p2") { name count } }')).headers.get('cache-control')).toMatch(/^private/);
});

test.each([
  ['an error', '{ product(id: "p1") { name fails } }'],
  ['nothing fetched', '{ __typename }'],
  ['something refused', '{ nothing }'],
])('what has %s is not to be kept', async (_what, query) => {
  const { headers } = await get(query);
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('etag')).toBeNull();
});

test('what a subgraph does not allow is not to be kept, whatever the others say', async () => {
  graph.stock.cacheControl = null;
  expect((await get(PRODUCT)).headers.get('cache-control')).toBe('no-store');
  expect((await get('{ product(id: "p1") { name } }')).headers.get('cache-control')).toMatch(/^public/);
  const token = await issuer.sign();
  const changed = await router.query('mutation { rename(id: "p1", name: "x") { name } }', { token });
  expect(changed.headers.get('cache-control')).toBe('no-store');
});

test('what a client has need not be sent again', async () => {
  const first = await get(PRODUCT);
  const tag = first.headers.get('etag') ?? '';
  expect(tag).toMatch(/^"[\w-]{27}"$/);
  for (const given of [tag, `"other", ${tag}`, `W/${tag}`, '*', tag.replace(/"$/, '-br"')]) {
    const again = await get(PRODUCT, { 'if-none-match': given });
    expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', tag]);
    expect(again.headers.get('cache-control')).toMatch(/^public/);
  }
  for (const given of ['"other"', tag.slice(1, -1), '', 'x'.repeat(5_000)]) {
    expect((await get(PRODUCT, { 'if-none-match': given })).status).toBe(200);
  }
  // A response to a POST is no representation of what was asked.
  const posted = await router.query(PRODUCT, { headers: { 'if-none-match': tag } });
  expect([posted.status, posted.headers.get('etag')]).toEqual([200, null]);
  const token = await issuer.sign();
  await router.query('mutation { setCount(id: "p1", count: 2) { id } }', { token });
  const changed = await get(PRODUCT, { 'if-none-match': tag });
  expect(changed.status).toBe(200);
  expect(changed.headers.get('etag')).not.toBe(tag);
});

test('other bytes have another tag', async () => {
  const many = '{ products(first: 60) { id name count } }';
  const tags = new Set<string | null>();
  for (const headers of [
    { 'accept-encoding': 'br' },
    { 'accept-encoding': 'gzip' },
    { 'accept-encoding': 'identity' },
    { 'accept-encoding': 'br', accept: 'application/graphql-response+json' },
  ]) {
    tags.add((await get(many, headers)).headers.get('etag'));
  }
  expect(tags.size).toBe(4);
});

test('the answers of one locale are not those of another', async () => {
  const locale = async (headers: Record<string, string>) => (await get('{ viewer { locale } }', headers)).text();
  for (let round = 0; round < 2; round += 1) {
    expect(await locale({ 'x-locale': 'de' })).toContain('"de"');
    expect(await locale({ 'x-locale': 'fr' })).toContain('"fr"');
    expect(await locale({ 'x-locale': 'de\tfr' })).toContain('"de\\tfr"');
    expect(await locale({})).toContain('null');
  }
  expect(graph.calls()).toBe(4);
});

test('who holds the scope can see what came from where', async () => {
  const debug = { 'x-timbre-cache-debug': '1' };
  const seen = async (token: string) => {
    const { text } = await router.query('{ product(id: "p1") { id count } }', { token, headers: debug });
    const parsed: { extensions?: { cache?: unknown } } = JSON.parse(text);
    return parsed.extensions?.cache;
  };
  const token = await issuer.sign({ scope: 'cache:debug' });
  const inside = { scope: 'PUBLIC', ageMs: expect.any(Number), ttlMs: expect.any(Number) };
  expect(await seen(token)).toEqual([
    { subgraph: 'catalog', kind: 'root', status: 'miss', ...inside, tags: [] },
    { subgraph: 'stock', kind: 'entities', status: 'miss', ...inside, tags: [] },
  ]);
  const tags = expect.arrayContaining(['e:Product:{"id":"p1"}', 'c:catalog:by-id-p1', 'c:catalog:product-p1']);
  expect(await seen(token)).toEqual([
    { subgraph: 'catalog', kind: 'root', status: 'hit', ...inside, tags },
    {
      subgraph: 'stock',
      kind: 'entities',
      status: 'hit',
      ...inside,
      tags: expect.arrayContaining(['t:Product:stock']),
    },
  ]);
  expect(await seen(await issuer.sign({ scope: 'other' }))).toBeUndefined();
  const { text } = await router.query('{ product(id: "p1") { id } }', { token });
  expect(text).not.toContain('extensions');
});

test('what policies have a say in is private, whatever they say and however public it is', async () => {
  const link = '@link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@policy"])';
  const supergraph = compose({
    catalog: `extend schema ${link} type Query { echo(text: String): String @policy(policies: [["beta"]]) node: String }`,
  });
  const guarded = await startTestRouter(
    { supergraph, subgraphUrl: () => graph.catalog.url },
    {
      responseCache: {},
      authorization: {
        policiesTtlMs: 0,
        evaluatePolicies: (_principal, _policies, { headers }) => ({ beta: headers?.['x-beta'] === '1' }),
        errors: { response: 'disabled' },
      },
    },
  );
  graph.catalog.cacheControl = 'public, max-age=60';
  const ask = async (query: string, headers: Record<string, string>) => {
    const answer = await fetch(`${guarded.url}?query=${encodeURIComponent(query)}`, {
      headers: { accept: 'application/json', ...headers },
    });
    return { control: answer.headers.get('cache-control'), body: await answer.json() };
  };
  const both = '{ echo(text: "a") __typename }';
  expect(await ask(both, { 'x-beta': '1' })).toEqual({
    control: 'private, no-cache',
    body: { data: { echo: 'a', __typename: 'Query' } },
  });
  expect((await ask(both, {})).control).not.toMatch(/public/);
  await guarded.close();
});

test('a header in which tokens come besides is one of those on which answers depend', async () => {
  const custom = await startTestRouter(graph, { responseCache: {}, credentialHeaders: ['x-token'] });
  graph.catalog.cacheControl = 'public, max-age=60';
  const ask = async (headers: Record<string, string>) => {
    const query = encodeURIComponent('{ product(id: "p1") { name } }');
    const answer = await fetch(`${custom.url}?query=${query}`, { headers: { accept: 'application/json', ...headers } });
    return [answer.headers.get('cache-control'), answer.headers.get('vary')];
  };
  expect(await ask({})).toEqual([expect.stringMatching(/^public/), expect.stringContaining('x-token')]);
  expect(await ask({ 'x-token': 'none that is known' })).toEqual([
    'private, no-cache',
    expect.stringContaining('x-token'),
  ]);
  await custom.close();
});
