import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { startCachedGraph } from '../testing/cached-graph.ts';
import type { CachedGraph } from '../testing/cached-graph.ts';
import { createTestIssuer } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { codesOf, startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import { until } from '../testing/until.ts';

let graph: CachedGraph;
let issuer: TestIssuer;
let router: TestRouter;
let ann: string;
let bob: string;

beforeAll(async () => {
  issuer = await createTestIssuer();
  ann = await issuer.sign({ sub: 'ann' });
  bob = await issuer.sign({ sub: 'bob' });
});
beforeEach(async () => {
  graph = await startCachedGraph();
  router = await startTestRouter(graph, { issuer, responseCache: {} });
});
afterEach(async () => {
  await router.close();
  await graph.close();
});

const PRODUCT = 'query ($id: ID!) { product(id: $id) { id name count } }';

/** How many calls of subgraphs something takes. */
async function callsOf(run: () => Promise<unknown>): Promise<number> {
  const before = graph.calls();
  await run();
  return graph.calls() - before;
}

test('what may be kept is asked for once, whoever asks, and the answers are the same', async () => {
  const first = await router.query(PRODUCT, { variables: { id: 'p1' }, token: ann });
  expect(first.data).toEqual({ product: { id: 'p1', name: 'Product p1', count: 0 } });
  expect(graph.calls()).toBe(2);
  for (const token of [ann, bob, undefined]) {
    const again = await router.query(PRODUCT, { variables: { id: 'p1' }, ...(token === undefined ? {} : { token }) });
    expect(again.data).toEqual(first.data);
  }
  expect(graph.calls()).toBe(2);
});

test('nothing is kept that the subgraph does not allow', async () => {
  const refused = [
    null,
    'no-store',
    'no-cache, max-age=60',
    'max-age=0',
    'public',
    'max-age=soon',
    'private, max-age=60',
  ];
  for (const [index, cacheControl] of refused.entries()) {
    graph.catalog.cacheControl = cacheControl;
    const ask = () => router.query(`{ echo(text: "${index}") }`);
    expect(await callsOf(ask), String(cacheControl)).toBe(1);
    expect(await callsOf(ask), String(cacheControl)).toBe(1);
  }
  graph.catalog.cacheControl = 'public, max-age=60';
  graph.catalog.headers = { vary: '*' };
  expect(await callsOf(() => router.query('{ echo(text: "vary") }'))).toBe(1);
  expect(await callsOf(() => router.query('{ echo(text: "vary") }'))).toBe(1);
});

test('a configured time holds where the subgraph says none, and a subgraph can be left out', async () => {
  await router.close();
  router = await startTestRouter(graph, {
    issuer,
    responseCache: { all: { ttlSeconds: 60 }, subgraphs: { stock: { enabled: false } } },
  });
  graph.catalog.cacheControl = null;
  await router.query(PRODUCT, { variables: { id: 'p1' }, token: ann });
  expect(await callsOf(() => router.query(PRODUCT, { variables: { id: 'p1' }, token: ann }))).toBe(1);
  expect(graph.stock.received).toHaveLength(2);
  // Nobody said that it is for everybody.
  expect(await callsOf(() => router.query(PRODUCT, { variables: { id: 'p1' }, token: bob }))).toBe(2);
});

test('time that passed before the answer came counts', async () => {
  graph.catalog.headers = { age: '60' };
  await router.query('{ echo(text: "old") }');
  expect(await callsOf(() => router.query('{ echo(text: "old") }'))).toBe(1);
});

test('s-maxage counts more than max-age', async () => {
  graph.catalog.cacheControl = 'public, max-age=0, s-maxage=60';
  await router.query('{ echo(text: "s") }');
  expect(await callsOf(() => router.query('{ echo(text: "s") }'))).toBe(0);
});

test('of a batch only the entities that are missing are asked for', async () => {
  graph.counts.set('p0', 10).set('p2', 12);
  await router.query(PRODUCT, { variables: { id: 'p1' } });
  graph.stock.received.length = 0;
  const list = await router.query('{ products { id count } }');
  expect(list.data).toEqual({
    products: [
      { id: 'p0', count: 10 },
      { id: 'p1', count: 0 },
      { id: 'p2', count: 12 },
    ],
  });
  // The selection is the same, so the entity is.
  const asked = graph.stock.received.map(({ variables }) => variables['representations']);
  expect(asked).toEqual([
    [
      { __typename: 'Product', id: 'p0' },
      { __typename: 'Product', id: 'p2' },
    ],
  ]);
});

test('the errors of a smaller batch stand where they belong, and nothing of it is kept', async () => {
  const list = (first: number) => router.query(`{ products(first: ${first}) { id unlucky } }`);
  graph.catalog.cacheControl = null;
  const whole = await list(3);
  graph.stock.received.length = 0;
  // p0 alone is kept.
  await list(1);
  expect(await callsOf(() => list(1))).toBe(1);
  const part = await list(3);
  expect(graph.stock.received.at(-1)?.variables['representations']).toEqual([
    { __typename: 'Product', id: 'p1' },
    { __typename: 'Product', id: 'p2' },
  ]);
  expect(part.data).toEqual(whole.data);
  expect(part.errors).toEqual(whole.errors);
  expect(part.errors.map(({ path }) => path)).toEqual([['products', 1, 'unlucky']]);
  expect(await callsOf(() => list(3))).toBe(2);
});

test('what the subgraph fails to answer has the same errors, and what is kept is there', async () => {
  const list = (first: number) => router.query(`{ products(first: ${first}) { id count mine } }`, { token: ann });
  await list(1);
  for (const broken of [
    { status: 500, body: 'no' },
    { status: 200, body: '{"data":{"_entities":[]}}' },
    { status: 200, body: '{"data":null,"errors":[{"message":"all of it"}]}' },
  ]) {
    graph.stock.broken = broken;
    const { data, errors } = await list(3);
    expect(data).toEqual({
      products: [
        { id: 'p0', count: 0, mine: 'p0 of ann' },
        { id: 'p1', count: null, mine: null },
        { id: 'p2', count: null, mine: null },
      ],
    });
    expect(errors.length).toBeGreaterThan(0);
    for (const { path = [] } of errors) expect(path[1]).not.toBe(0);
  }
});

test('private answers are for whom they were made, with the rights that they had', async () => {
  graph.catalog.cacheControl = 'private, max-age=60';
  const ask = (token?: string) => router.query('{ viewer { id secret scopes } }', token === undefined ? {} : { token });
  const annReads = await issuer.sign({ sub: 'ann', scope: 'more' });
  for (let round = 0; round < 3; round += 1) {
    expect((await ask(ann)).data).toEqual({ viewer: { id: 'ann', secret: 'secret of ann', scopes: [] } });
    expect((await ask(bob)).data).toEqual({ viewer: { id: 'bob', secret: 'secret of bob', scopes: [] } });
    expect((await ask(annReads)).data).toEqual({ viewer: { id: 'ann', secret: 'secret of ann', scopes: ['more'] } });
    expect((await ask()).data).toEqual({ viewer: { id: 'nobody', secret: 'secret of nobody', scopes: [] } });
  }
  // The anonymous cannot be told apart.
  expect(graph.calls()).toBe(3 + 3);
});

test('an operation whose answers were public at first is private as soon as one is', async () => {
  const ask = (token: string) => router.query('{ viewer { secret } }', { token });
  await ask(ann);
  graph.catalog.cacheControl = 'private, max-age=60';
  // It was said to be for everybody.
  expect((await ask(bob)).data).toEqual({ viewer: { secret: 'secret of ann' } });
  await router.query('mutation { setSecret(value: "new") { id } }', { token: bob });
  expect((await ask(bob)).data).toEqual({ viewer: { secret: 'new' } });
  expect((await ask(ann)).data).toEqual({ viewer: { secret: 'secret of ann' } });
  expect((await ask(bob)).data).toEqual({ viewer: { secret: 'new' } });
});

test('who waits for a public answer that turns out to be private gets their own', async () => {
  const ask = (token: string) => router.query('{ viewer { secret } }', { token });
  graph.catalog.cacheControl = 'public, max-age=1';
  await ask(ann);
  await router.query('mutation { setSecret(value: "anns") { id } }', { token: ann });
  graph.catalog.cacheControl = 'private, max-age=60';
  const { held, release } = graph.catalog.hold('viewer');
  const first = ask(ann);
  await held;
  await router.query('mutation { setSecret(value: "bobs") { id } }', { token: bob });
  const second = ask(bob);
  await until(
    async () => (await router.metric('timbre_router_response_cache_lookups_total', { outcome: 'miss' })) >= 2,
  );
  release();
  expect((await first).data).toEqual({ viewer: { secret: 'anns' } });
  expect((await second).data).toEqual({ viewer: { secret: 'bobs' } });
});

test('nothing is older than a mutation that its reader has seen', async () => {
  const ask = (token: string) => router.query(PRODUCT, { variables: { id: 'p1' }, token });
  await ask(ann);
  const changes = [
    'mutation { rename(id: "p1", name: "one") { id } }',
    'mutation { renameUnseen(id: "p1", name: "two") }',
    'mutation { setCount(id: "p1", count: 3) { count } }',
    'mutation { renameAndFail(id: "p1", name: "four") { id } }',
  ];
  const expected = [
    { name: 'one', count: 0 },
    { name: 'two', count: 0 },
    { name: 'two', count: 3 },
    { name: 'four', count: 3 },
  ];
  for (const [index, change] of changes.entries()) {
    await router.query(change, { token: ann });
    expect((await ask(ann)).data).toEqual({ product: { id: 'p1', ...expected[index] } });
    expect(await callsOf(() => ask(ann))).toBe(0);
  }
});

test("what was asked for before one's mutation and comes after it is not kept for it", async () => {
  const ask = () => router.query('{ product(id: "p1") { name } }', { token: ann });
  const { held, release } = graph.catalog.hold('product(id');
  const slow = ask();
  await held;
  await router.query('mutation { rename(id: "p1", name: "new") { id } }', { token: ann });
  release();
  expect((await slow).data).toEqual({ product: { name: 'Product p1' } });
  expect((await ask()).data).toEqual({ product: { name: 'new' } });
});

test('a mutation invalidates what it brought, for everybody, and no more of it than that', async () => {
  const one = (id: string) => router.query(PRODUCT, { variables: { id }, token: bob });
  const list = () => router.query('{ products { name } }', { token: bob });
  await Promise.all([one('p1'), one('p2'), list()]);
  await router.query('mutation { setCount(id: "p1", count: 5) { id } }', { token: ann });
  expect((await one('p1')).data).toMatchObject({ product: { count: 5 } });
  // Of what everybody sees, lists of products may have changed; other entities, and what is asked for by their keys, have not.
  expect(await callsOf(() => one('p2'))).toBe(0);
  expect(await callsOf(list)).toBe(1);
  expect(await callsOf(list)).toBe(0);
});

test.each([
  ['that is not there', 'gone', PRODUCT],
  ['with another one in it', 'p2', 'query ($id: ID!) { product(id: $id) { id maker { best { id name } } } }'],
  ['of which something was not asked for that tells it apart', 'p2', 'query ($id: ID!) { node(id: $id) { id } }'],
])('an entity %s may be another after a mutation of the type', async (_what, id, query) => {
  const ask = () => router.query(query, { variables: { id }, token: bob });
  await ask();
  expect(await callsOf(ask)).toBe(0);
  await router.query('mutation { rename(id: "p1", name: "other") { id } }', { token: ann });
  expect(await callsOf(ask)).toBeGreaterThan(0);
});

test('a mutation that does not say which entity it has changed invalidates the type', async () => {
  const one = (id: string) => router.query(PRODUCT, { variables: { id }, token: bob });
  await one('p1');
  await router.query('mutation { setCount(id: "p1", count: 5) { count } }', { token: ann });
  expect((await one('p1')).data).toMatchObject({ product: { count: 5 } });
});

test('a changed name of an alias does not hide which entity it is', async () => {
  await router.query('{ product(id: "p1") { id count } }', { token: bob });
  await router.query('mutation { setCount(id: "p1", count: 7) { number: id id: count } }', { token: ann });
  const { data } = await router.query('{ product(id: "p1") { id count } }', { token: bob });
  expect(data).toEqual({ product: { id: 'p1', count: 7 } });
});

test('mutations themselves, and what is read in them, are not kept', async () => {
  const change = () => router.query('mutation { rename(id: "p1", name: "x") { name count } }', { token: ann });
  expect(await callsOf(change)).toBe(2);
  expect(await callsOf(change)).toBe(2);
});

test('what is kept cannot be changed by what is made of it', async () => {
  const deep = '{ product(id: "p1") { maker { name best { id count } } } }';
  const first = await router.query(deep);
  expect((await router.query(deep)).data).toEqual(first.data);
  expect((await router.query('{ product(id: "p1") { maker { name best { id } } } }')).data).toEqual({
    product: { maker: { name: 'Maker of p1', best: { id: 'p1-best' } } },
  });
  expect((await router.query(deep)).data).toEqual(first.data);
});

describe('what is added to what is kept is added to a copy', () => {
  const lists = (selection: string) => `{ products { id ${selection} } }`;
  const inEntities = (selection: string) => `{ stocks { id maker { best { id ${selection} } } } }`;

  test.each([
    ['to a root field', lists, ['products', 1, 'x']],
    ['to an entity', inEntities, ['stocks', 0, 'maker', 'best', 'x']],
  ])('%s', async (_where, of, path) => {
    graph.counts.set('p1', 1);
    const seen = async (selection: string) => {
      const { data, errors } = await router.query(of(selection), { token: ann });
      return { value: path.reduce<unknown>((at, step) => Reflect.get(Object(at), step), data), errors };
    };
    const [, , ...lucky] = await Promise.all([
      seen('name'),
      seen('count'),
      ...['x: mine', 'x: unlucky', 'x: mine', 'x: unlucky'].map(seen),
    ]);
    const again = [];
    for (const selection of ['x: mine', 'x: unlucky', 'x: mine', 'x: unlucky']) again.push(await seen(selection));
    // A null replaces nothing: what another operation had put there would stand there still.
    for (const [index, { value, errors }] of [...lucky, ...again].entries()) {
      if (index % 2 === 0) expect(value).toMatch(/^p1\S* of ann$/);
      else expect({ value, paths: errors.map((error) => error.path) }).toEqual({ value: null, paths: [path] });
    }
  });
});

test('null entities are kept', async () => {
  const ask = () => router.query('{ product(id: "p-missing") { name count } }');
  expect((await ask()).data).toEqual({ product: { name: 'Product p-missing', count: null } });
  expect(await callsOf(ask)).toBe(0);
  expect((await ask()).data).toEqual({ product: { name: 'Product p-missing', count: null } });
});

test('identical calls of different callers are one where the answer is known to be for everybody', async () => {
  await router.query(PRODUCT, { variables: { id: 'p0' } });
  const { held, release } = graph.catalog.hold('p9');
  const all = [ann, bob].map((token) => router.query(PRODUCT, { variables: { id: 'p9' }, token }));
  await held;
  release();
  for (const { data } of await Promise.all(all)) expect(data).toMatchObject({ product: { id: 'p9' } });
  expect(graph.catalog.received.filter(({ variables }) => variables['id'] === 'p9')).toHaveLength(1);
});

test('what came at the same time is asked for again at different times, and none of it later than it may be', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    graph.catalog.cacheControl = 'public, max-age=1000';
    const query = 'query ($id: ID!) { product(id: $id) { name } }';
    const ask = async (id: string) => {
      const { headers } = await router.query(query, { variables: { id } });
      return { told: Number(/max-age=(\d+)/.exec(headers.get('cache-control') ?? '')?.[1]), id };
    };
    const ids = Array.from({ length: 50 }, (_, i) => `p${i}`);
    const lives = await Promise.all(ids.map(ask));
    expect(new Set(lives.map(({ told }) => told)).size).toBeGreaterThan(10);
    const start = Date.now();
    const askedAgainAfter = (seconds: number, some: readonly string[]) => {
      vi.setSystemTime(start + seconds * 1_000);
      return callsOf(() => Promise.all(some.map(ask)));
    };
    expect(await askedAgainAfter(799, ids)).toBe(0);
    const over = lives.filter(({ told }) => told < 900).map(({ id }) => id);
    expect(over.length).toBeGreaterThan(0);
    expect(over.length).toBeLessThan(50);
    expect(await askedAgainAfter(899.999, ids)).toBe(over.length);
    expect(
      await askedAgainAfter(
        1_000,
        ids.filter((id) => !over.includes(id)),
      ),
    ).toBe(50 - over.length);
  } finally {
    vi.useRealTimers();
  }
});

describe('while a call is on its way', () => {
  const read = (token?: string) => router.query(PRODUCT, { variables: { id: 'p9' }, ...(token ? { token } : {}) });
  const receivedBy = (subgraph: CachedGraph['catalog'], part: string) =>
    subgraph.received.filter(({ query }) => query.includes(part)).length;
  const received = () => receivedBy(graph.catalog, 'product(id');

  beforeEach(async () => {
    await router.query(PRODUCT, { variables: { id: 'p0' } });
    graph.catalog.received.length = 0;
  });

  test('others wait for it though something else changes', async () => {
    const { held, release } = graph.catalog.hold('product(id');
    const first = read(ann);
    await held;
    await router.query('mutation { rename(id: "p1", name: "other") { id } }', { token: bob });
    const second = read();
    await router.query('mutation { rename(id: "p2", name: "other") { id } }', { token: bob });
    release();
    expect((await second).data).toEqual((await first).data);
    expect(received()).toBe(1);
  });

  test('what it is about changes: those who waited ask once, and see it', async () => {
    const { held, release } = graph.catalog.hold('product(id');
    const first = read(ann);
    await held;
    await router.query('mutation { rename(id: "p9", name: "new") { id } }', { token: bob });
    const others = Array.from({ length: 3 }, () => read());
    // They have come by then: it was sent after them.
    await router.query('{ echo(text: "after") }');
    release();
    expect((await first).data).toMatchObject({ product: { name: 'Product p9' } });
    for (const { data } of await Promise.all(others)) expect(data).toMatchObject({ product: { name: 'new' } });
    expect(received()).toBe(2);
  });

  test('what is asked for after a change in the same operation is as of the change', async () => {
    const { held, release } = graph.catalog.hold('product(id');
    const slow = read(ann);
    await held;
    await router.query('mutation { setCount(id: "p9", count: 7) { id } }', { token: bob });
    release();
    expect((await slow).data).toMatchObject({ product: { count: 7 } });
    graph.stock.received.length = 0;
    expect((await read()).data).toMatchObject({ product: { count: 7 } });
    expect(receivedBy(graph.stock, '_entities')).toBe(0);
    expect(received()).toBe(2);
  });
});

test('what is stale is sent while it is asked for once more', async () => {
  graph.catalog.cacheControl = 'public, max-age=0, stale-while-revalidate=60';
  const ask = () => router.query('{ product(id: "p1") { name } }');
  await ask();
  graph.names.set('p1', 'newer');
  const { held, release } = graph.catalog.hold('product(id');
  const stale = await Promise.all([ask(), ask(), ask()]);
  for (const { data } of stale) expect(data).toEqual({ product: { name: 'Product p1' } });
  await held;
  expect(graph.calls()).toBe(2);
  release();
  await until(async () => (await ask()).data?.['product'] !== null && graph.calls() > 2);
  expect((await ask()).data).toEqual({ product: { name: 'newer' } });
});

test('what is stale is not sent to who has changed something since', async () => {
  graph.catalog.cacheControl = 'public, max-age=0, stale-while-revalidate=60';
  const ask = (token: string) => router.query('{ product(id: "p1") { name } }', { token });
  await ask(ann);
  await router.query('mutation { renameUnseen(id: "p1", name: "newer") }', { token: ann });
  expect((await ask(ann)).data).toEqual({ product: { name: 'newer' } });
});

test('a reload keeps what is kept', async () => {
  await router.query(PRODUCT, { variables: { id: 'p1' } });
  await router.reload(`${graph.supergraph}\n"Something else."\nscalar Unused @join__type(graph: CATALOG)\n`);
  expect(await callsOf(() => router.query(PRODUCT, { variables: { id: 'p1' } }))).toBe(0);
});

test('calls are counted', async () => {
  await router.query(PRODUCT, { variables: { id: 'p1' } });
  await router.query(PRODUCT, { variables: { id: 'p1' } });
  const lookups = (outcome: string, subgraph: string) =>
    router.metric('timbre_router_response_cache_lookups_total', { outcome, subgraph });
  expect(await lookups('miss', 'catalog')).toBe(1);
  expect(await lookups('hit', 'stock')).toBe(1);
  expect(await router.metric('timbre_router_response_cache_saved_calls_total')).toBe(2);
  expect(await router.metric('timbre_router_response_cache_entries')).toBe(2);
  expect(await router.metric('timbre_router_response_cache_bytes')).toBeGreaterThan(500);
});

test('without the cache nothing is kept', async () => {
  await router.close();
  router = await startTestRouter(graph, { issuer });
  await router.query(PRODUCT, { variables: { id: 'p1' } });
  expect(await callsOf(() => router.query(PRODUCT, { variables: { id: 'p1' } }))).toBe(2);
  expect(codesOf(await router.query('{ product(id: "p1") { fails } }'))).toHaveLength(1);
});
