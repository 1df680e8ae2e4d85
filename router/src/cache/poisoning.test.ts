import { afterEach, beforeEach, expect, test } from 'vitest';
import { startCachedGraph } from '../testing/cached-graph.ts';
import type { CachedGraph } from '../testing/cached-graph.ts';
import { createTestIssuer } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';

const MAX_BYTES = 200_000;

let graph: CachedGraph;
let issuer: TestIssuer;
let router: TestRouter;

beforeEach(async () => {
  issuer = await createTestIssuer();
  graph = await startCachedGraph();
  router = await startTestRouter(graph, {
    issuer,
    responseCache: { maxBytes: MAX_BYTES },
    propagateHeaders: ['x-locale'],
  });
});
afterEach(async () => {
  await router.close();
  await graph.close();
});

/** As it is, so that keys can stand in any order and more than once. */
async function post(body: string, headers: Record<string, string> = {}): Promise<{ text: string; calls: number }> {
  const before = graph.calls();
  const response = await fetch(router.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
  return { text: await response.text(), calls: graph.calls() - before };
}

const SEARCH = 'query ($filter: Filter) { search(filter: $filter) { name } }';
const search = (filter: string) => post(`{"query":${JSON.stringify(SEARCH)},"variables":{"filter":${filter}}}`);

test('the order of what is in variables does not matter, what is in them does', async () => {
  const first = await search('{"a":"1","b":"2","more":{"a":"3","b":"4"}}');
  expect(first.calls).toBe(1);
  const again = await search('{"more":{"b":"4","a":"3"},"b":"2","a":"1"}');
  expect(again).toEqual({ text: first.text, calls: 0 });
  for (const other of [
    '{"a":"1","b":"2","more":{"a":"4","b":"3"}}',
    '{"a":"2","b":"1","more":{"a":"3","b":"4"}}',
    '{"a":"1","b":"2"}',
    '{"a":"1\\",\\"b\\":\\"2","more":{"a":"3","b":"4"}}',
    '{"a":null,"b":"2","more":{"a":"3","b":"4"}}',
    '{}',
    'null',
  ]) {
    expect((await search(other)).calls, other).toBe(1);
  }
  expect(await search('{"a":"1","b":"2","more":{"a":"3","b":"4"}}')).toEqual({ text: first.text, calls: 0 });
});

test('keys that JavaScript has a meaning for have none', async () => {
  const before = await search('{"a":"1"}');
  for (const name of ['__proto__', 'constructor', 'toString']) {
    expect((await search(`{"a":"1","${name}":{"b":"2"}}`)).text).toContain('BAD_USER_INPUT');
    expect((await search(`{"${name}":"1"}`)).calls).toBe(0);
  }
  expect(await search('{"a":"1"}')).toEqual({ text: before.text, calls: 0 });
  expect(({} as { b?: string }).b).toBeUndefined();

  const query = '{ __proto__: echo(text: "p") constructor: echo(text: "c") hasOwnProperty: echo(text: "h") }';
  const first = await post(JSON.stringify({ query }));
  expect(first.text).toContain('"__proto__":"p"');
  expect(await post(JSON.stringify({ query }))).toEqual({ text: first.text, calls: 0 });
});

test("an operation's name tells nothing apart, aliases tell all apart", async () => {
  const named = (name: string, text: string) =>
    post(JSON.stringify({ query: `query ${name} { echo(text: "${text}") }` }));
  const first = await named('One', 'same');
  expect(await named('Two', 'same')).toEqual({ text: first.text, calls: 0 });
  expect((await named('One', 'other')).text).toContain('"other"');
  const aliased = (fields: string) => post(JSON.stringify({ query: `{ ${fields} }` }));
  expect((await aliased('a: echo(text: "1") b: echo(text: "2")')).text).toContain('{"a":"1","b":"2"}');
  expect((await aliased('b: echo(text: "1") a: echo(text: "2")')).text).toContain('{"b":"1","a":"2"}');
  expect((await aliased('a: echo(text: "1") b: echo(text: "2")')).text).toContain('{"a":"1","b":"2"}');
});

test('an alias that is called like a key changes nothing about which entity is kept', async () => {
  const real = await router.query('{ product(id: "p1") { id count name } }');
  await router.query('{ product(id: "p2") { id: name count } }');
  await router.query('{ product(id: "p1") { __typename: name id count } }');
  graph.counts.set('p1', 99);
  expect((await router.query('{ product(id: "p1") { id count name } }')).data).toEqual(real.data);
  expect((await router.query('{ product(id: "p3") { id: name count } }')).data).toEqual({
    product: { id: 'Product p3', count: 0 },
  });
});

test('headers of clients say nothing that they are not asked for', async () => {
  const query = '{ viewer { id locale } }';
  graph.catalog.cacheControl = 'private, max-age=60';
  const ann = `Bearer ${await issuer.sign({ sub: 'ann' })}`;
  const bob = `Bearer ${await issuer.sign({ sub: 'bob' })}`;
  const ask = (headers: Record<string, string>) => post(JSON.stringify({ query }), headers);
  const identity = () => String(graph.catalog.received.at(-1)?.headers['x-timbre-identity']);
  for (let round = 0; round < 2; round += 1) {
    expect((await ask({ authorization: ann })).text).toContain('"id":"ann","locale":null');
    const stolen = identity();
    expect((await ask({ authorization: bob, 'x-timbre-identity': stolen })).text).toContain('"id":"bob","locale":null');
    expect((await ask({ 'x-timbre-identity': stolen })).text).toContain('"id":"nobody"');
    expect((await ask({ authorization: bob, 'x-locale': 'x-other:1' })).text).toContain('"locale":"x-other:1"');
    expect((await ask({ authorization: bob, 'x-forwarded-host': 'evil', 'x-other': '1' })).text).toContain('null');
  }
});

test('what is too large is not kept, and drives nothing out', async () => {
  await router.query('{ echo(text: "small") }');
  const query = 'query ($text: String) { echo(text: $text) }';
  const text = 'x'.repeat(MAX_BYTES / 4);
  for (let round = 0; round < 2; round += 1) {
    expect((await post(JSON.stringify({ query, variables: { text } }))).calls).toBe(1);
  }
  expect((await post('{"query":"{ echo(text: \\"small\\") }"}')).calls).toBe(0);
});

test('whatever is asked for, the cache stays in its bounds', async () => {
  const query = 'query ($text: String) { echo(text: $text) }';
  const bytes = () => router.metric('timbre_router_response_cache_bytes');
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        router.query(query, { variables: { text: `${round} ${i} ${'y'.repeat((i * 37) % 400)}` } }),
      ),
    );
    expect(await bytes()).toBeLessThanOrEqual(MAX_BYTES);
  }
  expect(await bytes()).toBeGreaterThan(MAX_BYTES / 2);
  expect(await router.metric('timbre_router_response_cache_evictions_total')).toBeGreaterThan(0);
});
