import type { Bus } from '@timbre/platform/bus/bus';
import { channels } from '@timbre/platform/bus/hints';
import { createPostgresBus } from '@timbre/platform/bus/postgres-bus';
import { publishInvalidations } from '@timbre/platform/cache/invalidation';
import { createLogger } from '@timbre/platform/logger';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { startCachedGraph } from '../testing/cached-graph.ts';
import type { CachedGraph } from '../testing/cached-graph.ts';
import { createTestIssuer } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import { until } from '../testing/until.ts';

const log = createLogger({ name: 'test', level: 'silent' });
const KEY = 'the key of the invalidation tests';

let graph: CachedGraph;
let issuer: TestIssuer;
let router: TestRouter;
const open: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  issuer = await createTestIssuer();
  graph = await startCachedGraph();
  router = await start();
});
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
  await graph.close();
});

async function start(bus?: Bus): Promise<TestRouter> {
  const options = { issuer, responseCache: { invalidation: { sharedKey: KEY } } };
  const started = await startTestRouter(graph, { ...options, ...(bus === undefined ? {} : { bus }) });
  open.push(started);
  return started;
}

/** A bus of a process of its own. */
function newBus(): Bus {
  const bus = createPostgresBus({ url: inject('postgresUrl'), log });
  open.push(bus);
  return bus;
}

function post(body: unknown, authorization: string | null = KEY, init: RequestInit = {}): Promise<Response> {
  return fetch(router.url.replace('/graphql', '/cache/invalidate'), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(authorization === null ? {} : { authorization }) },
    body: JSON.stringify(body),
    ...init,
  });
}

const DOCUMENTS = {
  p1: '{ product(id: "p1") { name } }',
  p2: '{ product(id: "p2") { id } }',
  list: '{ products(first: 2) { id name } }',
  maker: '{ product(id: "p3") { maker { name } } }',
  stock1: '{ product(id: "p1") { count } }',
  stock2: '{ product(id: "p2") { count } }',
  viewer: '{ viewer { id } }',
};
type Name = keyof typeof DOCUMENTS;
const NAMES: Name[] = ['p1', 'p2', 'list', 'maker', 'stock1', 'stock2', 'viewer'];

/** Which documents have to be asked for again, with how many calls. */
async function asked(): Promise<Partial<Record<Name, number>>> {
  const calls: Partial<Record<Name, number>> = {};
  for (const name of NAMES) {
    const before = graph.calls();
    await router.query(DOCUMENTS[name]);
    if (graph.calls() > before) calls[name] = graph.calls() - before;
  }
  return calls;
}

test.each([
  [
    { kind: 'subgraph', subgraph: 'stock' },
    { stock1: 1, stock2: 1 },
  ],
  [
    { kind: 'type', subgraph: 'catalog', type: 'Product' },
    { p1: 1, p2: 1, list: 1, maker: 1, stock1: 1, stock2: 1 },
  ],
  [
    { kind: 'type', subgraph: 'stock', type: 'Product' },
    { stock1: 1, stock2: 1 },
  ],
  [{ kind: 'type', type: 'Viewer' }, { viewer: 1 }],
  [{ kind: 'type', type: 'Maker' }, { maker: 1 }],
  // By what is inside an interface, or is one.
  [
    { kind: 'type', type: 'Node', subgraph: 'catalog' },
    { p1: 1, p2: 1, list: 1, maker: 1, stock1: 1, stock2: 1 },
  ],
  // Without its id nobody knows which product an answer has.
  [
    { kind: 'entity', type: 'Product', key: { id: 'p1' } },
    { p1: 1, list: 1, maker: 1, stock1: 2 },
  ],
  [{ kind: 'entity', type: 'Product', key: { id: 'p1' }, subgraph: 'stock' }, { stock1: 1 }],
  [
    { kind: 'entity', type: 'Product', key: { more: true }, subgraph: 'stock' },
    { stock1: 1, stock2: 1 },
  ],
  [
    { kind: 'entity', type: 'Product', key: { id: 'p2', more: true } },
    { p1: 1, p2: 1, maker: 1, stock2: 2 },
  ],
  [
    { kind: 'cache_tag', subgraphs: ['catalog'], cache_tag: 'by-id-p2' },
    { p2: 1, stock2: 1 },
  ],
  [{ kind: 'cache_tag', cache_tag: 'list' }, { list: 1 }],
  [{ kind: 'cache_tag', cache_tag: 'list-2' }, { list: 1 }],
  [
    { kind: 'cache_tag', cache_tag: 'product-p1' },
    { list: 1, stock1: 1 },
  ],
  [{ kind: 'cache_tag', subgraphs: ['stock'], cache_tag: 'list' }, {}],
  [{ kind: 'type', type: '__proto__' }, {}],
])('%j', async (invalidation, expected) => {
  await asked();
  expect(await asked()).toEqual({});
  const answer = await post([invalidation]);
  expect([answer.status, await answer.json()]).toEqual([202, { count: 1 }]);
  expect(await asked()).toEqual(expected);
  expect(await asked()).toEqual({});
});

test('who has not the key, or sends something else, changes nothing', async () => {
  await asked();
  const good = [{ kind: 'subgraph', subgraph: 'catalog' }];
  expect((await post(good, null)).status).toBe(401);
  expect((await post(good, 'another key')).status).toBe(401);
  expect((await post(good, `${KEY} `.repeat(2))).status).toBe(401);
  expect((await post(good, KEY, { method: 'PUT' })).status).toBe(405);
  const bad = [
    {},
    [],
    [...good, { kind: 'everything' }],
    [{ kind: 'type' }],
    [{ kind: 'subgraph', subgraph: 'a'.repeat(201) }],
    [{ kind: 'entity', type: 'Product' }],
    [{ kind: 'subgraph', subgraph: 'catalog', extra: 1 }],
    Array.from({ length: 1_001 }, () => good[0]),
  ];
  for (const body of bad) expect((await post(body)).status, JSON.stringify(body).slice(0, 80)).toBe(400);
  expect((await post('x'.repeat(2_000_000))).status).toBe(413);
  expect(await asked()).toEqual({});
  expect((await post(good, `Bearer ${KEY}`)).status).toBe(202);
  expect(await asked()).not.toEqual({});
});

test('a key that can be guessed is refused at the start', async () => {
  await expect(startTestRouter(graph, { responseCache: { invalidation: { sharedKey: 'short' } } })).rejects.toThrow(
    RangeError,
  );
});

test('what a subgraph tells through the bus reaches every router', async () => {
  const [one, two] = [await start(newBus()), await start(newBus())];
  const subgraph = newBus();
  const names = (routers: TestRouter[]) =>
    Promise.all(
      routers.map(async (each) => {
        const { data } = await each.query('{ product(id: "p1") { id name } }');
        return data?.['product'];
      }),
    );
  await names([one, two]);
  // They hear nothing before they have subscribed.
  await until(async () => {
    const before = graph.calls();
    await publishInvalidations(subgraph, [{ kind: 'entity', type: 'Product', key: { id: 'p1' } }]);
    await names([one, two]);
    return graph.calls() === before + 2;
  });
  graph.names.set('p1', 'changed');
  await publishInvalidations(subgraph, [{ kind: 'entity', type: 'Product', key: { id: 'p1' } }]);
  const changed = { id: 'p1', name: 'changed' };
  await until(async () =>
    (await names([one, two])).every((found) => JSON.stringify(found) === JSON.stringify(changed)),
  );
  expect(await names([one, two])).toEqual([changed, changed]);
});

test("one router's mutations and invalidations reach the other", async () => {
  const [one, two] = [await start(newBus()), await start(newBus())];
  const token = await issuer.sign({ sub: 'ann' });
  const name = async () => (await two.query('{ product(id: "p1") { id name } }')).data?.['product'];
  for (let round = 0; round < 3; round += 1) {
    await name();
    await one.query(`mutation { rename(id: "p1", name: "${round}") { id } }`, { token });
    await until(async () => JSON.stringify(await name()) === JSON.stringify({ id: 'p1', name: String(round) }));
  }
  graph.names.set('p1', 'elsewhere');
  await fetch(one.url.replace('/graphql', '/cache/invalidate'), {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: KEY },
    body: JSON.stringify([{ kind: 'type', type: 'Product' }]),
  });
  await until(async () => JSON.stringify(await name()) === JSON.stringify({ id: 'p1', name: 'elsewhere' }));
  expect(await name()).toEqual({ id: 'p1', name: 'elsewhere' });
});

test('what is not understood on the bus invalidates everything, and ends nothing', async () => {
  const bus = newBus();
  router = await start(bus);
  await asked();
  await until(async () => Object.keys(await asked()).length === 0);
  for (const payload of ['', '[', '{"invalidations":[]}', '{"id":"x","invalidations":[{"kind":"?"}]}', 'null']) {
    graph.names.set('p1', `after ${payload}`);
    await bus.publish(channels.cacheInvalidations, payload);
    await until(async () => (await router.query(DOCUMENTS.p1)).text.includes(JSON.stringify(`after ${payload}`)));
    expect((await router.query(DOCUMENTS.p1)).errors).toEqual([]);
  }
});

test('a change of very many things is told in several messages', async () => {
  const [one, two] = [await start(newBus()), await start(newBus())];
  const product = async () => (await two.query('{ product(id: "p1") { id name } }')).data?.['product'];
  await product();
  router = one;
  const others = Array.from({ length: 900 }, (_, i) => ({
    kind: 'entity',
    type: 'Product',
    key: { id: `other ${i}` },
  }));
  const last = { kind: 'entity', type: 'Product', key: { id: 'p1' } };
  let round = 0;
  await until(async () => {
    round += 1;
    graph.names.set('p1', `round ${round}`);
    expect((await post([...others, last])).status).toBe(202);
    return JSON.stringify(await product()) === JSON.stringify({ id: 'p1', name: `round ${round}` });
  });
});
