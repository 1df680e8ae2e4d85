import { createLogger } from '@timbre/platform/logger';
import { channels } from '@timbre/platform/bus/hints';
import { createRedisBus } from '@timbre/platform/bus/redis-bus';
import { createRedisVersionedStore } from '@timbre/platform/cache/redis-versioned-store';
import { redisMissing, startRedis } from '@timbre/platform/testing/redis';
import type { RedisServer } from '@timbre/platform/testing/redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RouterOptions } from '../router-options.ts';
import { startCachedGraph } from '../testing/cached-graph.ts';
import type { CachedGraph } from '../testing/cached-graph.ts';
import { createTestIssuer } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import { until } from '../testing/until.ts';

const log = createLogger({ name: 'test', level: 'silent' });
if (redisMissing !== null) process.stderr.write(`The Redis side is not tested: ${redisMissing}.\n`);

/** However busy the machine is: what a Redis that is there has kept is found. */
const PATIENT = { readDeadlineMs: 10_000, markDeadlineMs: 2_000 };

const PRODUCT = 'query ($id: ID!) { product(id: $id) { id name count } }';

describe.skipIf(redisMissing !== null)('two routers and one Redis', () => {
  let redis: RedisServer;
  let admin: RedisServer['client'];
  let issuer: TestIssuer;
  let graph: CachedGraph;
  let one: TestRouter;
  let two: TestRouter;
  let ann: string;
  let bob: string;
  const open: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    admin = redis.client;
    issuer = await createTestIssuer();
    ann = await issuer.sign({ sub: 'ann' });
    bob = await issuer.sign({ sub: 'bob' });
  });
  beforeEach(async () => {
    await admin.flushall();
    graph = await startCachedGraph();
    one = await startRouter();
    two = await startRouter();
  });
  afterEach(async () => {
    for (const each of open.splice(0)) await each.close();
    await graph.close();
    await admin.config('SET', 'maxmemory', '0');
  });
  afterAll(async () => {
    await redis.stop();
  });

  async function startRouter({ responseCache, ...options }: Partial<RouterOptions> = {}): Promise<TestRouter> {
    const store = responseCache?.store ?? createRedisVersionedStore({ url: redis.url, log, ...PATIENT });
    const router = await startTestRouter(graph, { issuer, responseCache: { ...responseCache, store }, ...options });
    open.push(router, store);
    await isShared(router);
    return router;
  }

  /** Until the store answers, nothing is taken from the cache. */
  async function isShared(router: TestRouter): Promise<void> {
    const hits = () => router.metric('timbre_router_response_cache_lookups_total', { outcome: 'hit' });
    const before = await hits();
    await until(async () => {
      await router.query('{ echo(text: "ready") }');
      return (await hits()) > before;
    });
    graph.catalog.received.length = 0;
  }

  const ask = async (router: TestRouter, token: string, id = 'p1') =>
    (await router.query(PRODUCT, { variables: { id }, token })).data?.['product'];

  test('a message that claims to be of a time that is far off holds nothing up', async () => {
    const buses = [createRedisBus({ url: redis.url, log }), createRedisBus({ url: redis.url, log })] as const;
    const router = await startRouter({ bus: buses[0] });
    open.push(...buses);
    await ask(router, ann);
    const calls = graph.calls();
    const forged = { from: 'somebody', sequence: Number.MAX_SAFE_INTEGER, tags: ['all'], parts: null };
    await until(async () => {
      await buses[1].publish(channels.cacheChanges, JSON.stringify(forged));
      await ask(router, ann);
      return graph.calls() > calls;
    });
    const isKept = async () => {
      const before = graph.calls();
      await ask(router, ann);
      return graph.calls() === before;
    };
    await expect.poll(isKept).toBe(true);
  });

  test('what one has asked for, the other has', async () => {
    const first = await ask(one, ann);
    expect(await ask(two, bob)).toEqual(first);
    expect(graph.calls()).toBe(2);
    expect(await two.metric('timbre_router_response_cache_shared_hits_total', { subgraph: 'stock' })).toBe(1);
    expect(await ask(two, bob)).toEqual(first);
    expect(await two.metric('timbre_router_response_cache_shared_hits_total', { subgraph: 'stock' })).toBe(1);
  });

  test('what answers depend on of headers stands nowhere in what is kept', async () => {
    const router = await startRouter({ propagateHeaders: ['x-secret'] });
    const headers = { 'x-secret': 'swordfish' };
    await router.query('{ echo(text: "mine") }', { headers });
    await until(async () => (await admin.keys('*entry:*#*')).length > 0);
    expect((await admin.keys('*')).join('\n')).not.toContain('swordfish');
    expect((await router.query('{ echo(text: "mine") }', { headers })).data).toEqual({ echo: 'mine' });
    expect(graph.catalog.received.filter(({ query }) => query.includes('mine'))).toHaveLength(1);
  });

  test("on no router is anything older than a mutation of its reader's", async () => {
    for (let round = 1; round < 20; round += 1) {
      await Promise.all([ask(one, ann), ask(two, ann), ask(one, bob), ask(two, bob)]);
      const [writer, reader] = round % 2 === 0 ? [one, two] : [two, one];
      await writer.query(`mutation { setCount(id: "p1", count: ${round}) { count } }`, { token: ann });
      expect(await ask(reader, ann)).toMatchObject({ count: round });
      expect(await ask(writer, ann)).toMatchObject({ count: round });
    }
  });

  test('an answer on its way while another router changes what it is about is not kept for who changed it', async () => {
    for (const token of [ann, bob]) {
      const { held, release } = graph.stock.hold('_entities');
      const slow = ask(one, token);
      await held;
      await two.query('mutation { setCount(id: "p1", count: 5) { count } }', { token: ann });
      const next = ask(one, ann);
      await until(() => graph.stock.received.filter(({ query }) => query.includes('_entities')).length >= 2);
      release();
      await slow;
      expect(await next).toMatchObject({ count: 5 });
      expect(await ask(one, ann)).toMatchObject({ count: 5 });
      expect(await ask(two, ann)).toMatchObject({ count: 5 });
      graph.stock.received.length = 0;
      await admin.flushall();
      graph.counts.clear();
    }
  });

  test("one's private answers are nobody else's on the other router", async () => {
    graph.catalog.cacheControl = 'private, max-age=60';
    const viewer = async (router: TestRouter, token: string) =>
      (await router.query('{ viewer { secret } }', { token })).data?.['viewer'];
    for (let round = 0; round < 2; round += 1) {
      for (const router of [one, two]) {
        expect(await viewer(router, ann)).toEqual({ secret: 'secret of ann' });
        expect(await viewer(router, bob)).toEqual({ secret: 'secret of bob' });
      }
    }
    const kept = await admin.keys('*entry:*');
    expect(kept).not.toHaveLength(0);
    for (const key of kept) expect(`${key}${await admin.get(key)}`).not.toContain('anonymous');
  });

  test('answers that were on their way when the first turned out to be private are not for everybody', async () => {
    graph.catalog.cacheControl = 'private, max-age=60';
    const viewer = async (router: TestRouter, token: string) =>
      (await router.query('{ viewer { id secret } }', { token })).data?.['viewer'];
    const { held, release } = graph.catalog.hold('viewer');
    const both = [viewer(one, ann), viewer(one, bob)];
    await held;
    await until(() => graph.catalog.received.filter(({ query }) => query.includes('viewer')).length === 2);
    release();
    await Promise.all(both);
    const carol = await issuer.sign({ sub: 'carol' });
    expect(await viewer(two, carol)).toEqual({ id: 'carol', secret: 'secret of carol' });
    expect(await viewer(await startRouter(), ann)).toEqual({ id: 'ann', secret: 'secret of ann' });
    expect(await viewer(two, bob)).toEqual({ id: 'bob', secret: 'secret of bob' });
  });

  test('a Redis that stops, and comes back empty, fails nothing and makes nothing stale', async () => {
    await ask(one, ann);
    await ask(two, ann);
    await redis.kill();
    expect(await ask(one, ann)).toMatchObject({ count: 0 });
    await two.query('mutation { setCount(id: "p1", count: 8) { count } }', { token: ann });
    expect(await ask(one, ann)).toMatchObject({ count: 8 });
    expect(await ask(two, ann)).toMatchObject({ count: 8 });
    await redis.start();
    await isShared(one);
    await isShared(two);
    expect(await ask(one, ann)).toMatchObject({ count: 8 });
    await two.query('mutation { setCount(id: "p1", count: 9) { count } }', { token: ann });
    expect(await ask(one, ann)).toMatchObject({ count: 9 });
  });

  test('a Redis that was emptied makes nothing stale', async () => {
    await ask(one, ann);
    await two.query('mutation { setCount(id: "p1", count: 8) { count } }', { token: ann });
    await admin.flushall();
    expect(await ask(one, ann)).toMatchObject({ count: 8 });
    expect(await ask(two, ann)).toMatchObject({ count: 8 });
    await isShared(one);
    expect(await ask(one, ann)).toMatchObject({ count: 8 });
  });

  test('an answer on its way while Redis is emptied is not kept as if no change were before that', async () => {
    for (const subgraph of [graph.catalog, graph.stock]) subgraph.cacheControl = 'private, max-age=60';
    for (const router of [one, two]) await ask(router, ann, 'p2');
    const { held, release } = graph.catalog.hold('product(');
    const slow = ask(one, ann);
    await held;
    graph.catalog.cacheControl = 'public, max-age=60';
    await two.query('mutation { renameUnseen(id: "p1", name: "new") }', { token: ann });
    await admin.flushall();
    await isShared(two);
    const before = await admin.keys('*entry:*');
    release();
    expect(await slow).toMatchObject({ name: 'Product p1' });
    await until(async () => (await admin.keys('*entry:*')).length === before.length + 2);
    expect(await ask(two, ann)).toMatchObject({ name: 'new' });
  });

  test('a Redis that is full makes nothing stale, and is of use again when it is not', async () => {
    await Promise.all([ask(one, ann), ask(two, ann)]);
    await admin.config('SET', 'maxmemory', '1');
    for (const count of [8, 9]) {
      await one.query(`mutation { setCount(id: "p1", count: ${count}) { count } }`, { token: ann });
      for (const router of [two, one]) expect(await ask(router, ann)).toMatchObject({ count });
    }
    await admin.config('SET', 'maxmemory', '0');
    for (const router of [one, two]) {
      await isShared(router);
      expect(await ask(router, ann)).toMatchObject({ count: 9 });
    }
  });

  test('a Redis that is slow is not waited for', async () => {
    const store = () => createRedisVersionedStore({ url: redis.url, log });
    one = await startRouter({ responseCache: { store: store() } });
    two = await startRouter({ responseCache: { store: store() } });
    await ask(one, ann);
    redis.pause();
    await two.query('mutation { setCount(id: "p1", count: 3) { count } }', { token: bob });
    expect(await ask(one, ann)).toMatchObject({ count: 3 });
    expect(await ask(one, ann)).toMatchObject({ count: 3 });
    redis.resume();
    await isShared(one);
    expect(await ask(one, ann)).toMatchObject({ count: 3 });
  });

  describe('where it is declared what mutations reach', () => {
    const mutations = {
      renameUnseen: { subgraphs: ['catalog'], public: false },
      setCount: { subgraphs: ['stock'] },
    };

    beforeEach(async () => {
      graph.catalog.cacheControl = 'private, max-age=60';
      graph.stock.cacheControl = 'private, max-age=60';
      one = await startRouter({ responseCache: { mutations } });
      two = await startRouter({ responseCache: { mutations } });
    });

    /** What a router asks which subgraph for. */
    async function asked(router: TestRouter): Promise<{ product: unknown; catalog: number; stock: number }> {
      const before = { catalog: graph.catalog.received.length, stock: graph.stock.received.length };
      const product = await ask(router, ann);
      return {
        product,
        catalog: graph.catalog.received.length - before.catalog,
        stock: graph.stock.received.length - before.stock,
      };
    }

    test("on no router is anything older than a mutation of its reader's, and what it does not reach is kept", async () => {
      let name = 'Product p1';
      let count = 0;
      for (let round = 1; round < 25; round += 1) {
        await Promise.all([ask(one, ann), ask(two, ann), ask(one, bob), ask(two, bob)]);
        const [writer, reader] = round % 2 === 0 ? [one, two] : [two, one];
        const kind = (['name', 'count', 'undeclared', 'both'] as const)[round % 4] ?? 'both';
        if (kind === 'count' || kind === 'both') count = round;
        if (kind !== 'count') name = `name ${round}`;
        const fields = {
          name: `renameUnseen(id: "p1", name: "${name}")`,
          count: `setCount(id: "p1", count: ${count}) { count }`,
          undeclared: `rename(id: "p1", name: "${name}") { name }`,
          both: `setCount: renameUnseen(id: "p1", name: "${name}") renameUnseen: setCount(id: "p1", count: ${count}) { count }`,
        };
        await writer.query(`mutation { ${fields[kind]} }`, { token: ann });
        const { product, catalog, stock } = await asked(reader);
        expect(product, kind).toEqual({ id: 'p1', name, count });
        expect([catalog, stock], kind).toEqual([kind === 'count' ? 0 : 1, kind === 'name' ? 0 : 1]);
        expect(await ask(writer, ann), kind).toEqual({ id: 'p1', name, count });
      }
    });

    test('a router that has nothing declared goes by what another has', async () => {
      const other = await startRouter();
      for (const name of ['first', 'second']) {
        await ask(other, ann);
        await one.query(`mutation { renameUnseen(id: "p1", name: "${name}") }`, { token: ann });
        expect(await asked(other)).toEqual({ product: { id: 'p1', name, count: 0 }, catalog: 1, stock: 0 });
      }
    });

    test('a mutation in whose middle Redis goes away, and whose end it is not told of, has begun', async () => {
      await Promise.all([ask(one, ann), ask(two, ann)]);
      const { held, release } = graph.catalog.hold('renameUnseen');
      const change = one.query('mutation { renameUnseen(id: "p1", name: "new") }', { token: ann });
      await held;
      // Those who read are not disturbed.
      await admin.call('CLIENT', 'PAUSE', '30000', 'WRITE');
      release();
      expect((await change).errors).toEqual([]);
      const changed = { id: 'p1', name: 'new', count: 0 };
      expect(await asked(two)).toEqual({ product: changed, catalog: 1, stock: 0 });
      // It does not know who else has heard of it.
      expect(await asked(one)).toEqual({ product: changed, catalog: 1, stock: 1 });
      await admin.call('CLIENT', 'UNPAUSE');
      await until(async () => {
        const again = await asked(one);
        expect(again.product).toEqual(changed);
        return again.catalog === 0;
      });
      expect((await asked(two)).product).toEqual(changed);
    });

    test('a Redis that goes away in the middle of a mutation, and comes back empty, makes nothing stale', async () => {
      await Promise.all([ask(one, ann), ask(two, ann)]);
      const { held, release } = graph.catalog.hold('renameUnseen');
      const change = one.query('mutation { renameUnseen(id: "p1", name: "new") }', { token: ann });
      await held;
      await redis.kill();
      release();
      await change;
      const changed = { id: 'p1', name: 'new', count: 0 };
      for (const router of [one, two]) expect(await ask(router, ann)).toEqual(changed);
      await redis.start();
      for (const router of [one, two]) {
        await until(async () => {
          const again = await asked(router);
          expect(again.product).toEqual(changed);
          return again.catalog === 0;
        });
      }
    });
  });

  describe('where a mutation changes nothing but what it returns', () => {
    const mutations = { rename: { returnedOnly: true }, renameAndFail: { returnedOnly: true } };
    const people = ['ann', 'bob', 'carl', 'dora'];

    beforeEach(async () => {
      const store = () => createRedisVersionedStore({ url: redis.url, log, readDeadlineMs: 5_000 });
      one = await startRouter({ responseCache: { mutations, store: store() } });
      two = await startRouter({ responseCache: { mutations, store: store() } });
    });

    const rename = (router: TestRouter, name: string, token: string, id = 'p1') =>
      router.query(`mutation { rename(id: "${id}", name: "${name}") { id } }`, { token });
    async function callsOf(run: () => Promise<unknown>): Promise<number> {
      const before = graph.calls();
      await run();
      return graph.calls() - before;
    }

    test.each(['public', 'private'])('what is %s and another is kept on every router', async (whose) => {
      for (const subgraph of [graph.catalog, graph.stock]) subgraph.cacheControl = `${whose}, max-age=60`;
      for (let round = 1; round < 8; round += 1) {
        for (const router of [one, two]) for (const id of ['p1', 'p2']) await ask(router, ann, id);
        const [writer, reader] = round % 2 === 0 ? [one, two] : [two, one];
        await rename(writer, `name ${round}`, ann);
        for (const router of [reader, writer]) {
          expect(await callsOf(() => ask(router, ann, 'p2'))).toBe(0);
          expect(await ask(router, ann)).toMatchObject({ name: `name ${round}` });
        }
        expect(await callsOf(() => ask(two, ann))).toBe(0);
      }
    });

    test('what one router has kept from before is not shown by it, though it has heard of nothing', async () => {
      await Promise.all([ask(one, ann), ask(two, ann)]);
      await rename(one, 'new', ann);
      // What is new is not in the store.
      for (const key of await admin.keys('*entry:*')) await admin.del(key);
      expect(await ask(two, ann)).toMatchObject({ name: 'new' });
    });

    test('that fails, all is old', async () => {
      await Promise.all([ask(one, ann, 'p2'), ask(two, ann, 'p2')]);
      await one.query('mutation { renameAndFail(id: "p2", name: "new") { fails } }', { token: ann });
      expect(await ask(two, ann, 'p2')).toMatchObject({ name: 'new' });
    });

    test('its end is not told, all is old that is older than its beginning', async () => {
      await Promise.all([ask(one, ann), ask(two, ann), ask(two, ann, 'p2')]);
      const { held, release } = graph.catalog.hold('rename(');
      const change = rename(one, 'new', ann);
      await held;
      await admin.call('CLIENT', 'PAUSE', '3000', 'WRITE');
      release();
      expect((await change).errors).toEqual([]);
      expect(await ask(two, ann)).toMatchObject({ name: 'new' });
      expect(await callsOf(() => ask(two, ann, 'p2'))).toBe(2);
      await admin.call('CLIENT', 'UNPAUSE');
      await until(async () => (await callsOf(() => ask(one, ann))) === 0);
      for (const router of [one, two]) expect(await ask(router, ann)).toMatchObject({ name: 'new' });
    });

    test('however many write and read, nobody sees anything older than what they have changed', async () => {
      const tokens = await Promise.all(people.map((sub) => issuer.sign({ sub })));
      const written = new Map<string, number>();
      const person = async (token: string, index: number) => {
        for (let round = 1; round <= 25; round += 1) {
          const id = `p${(round + index) % 2}`;
          const mine = `${id} ${index}`;
          const count = (written.get(mine) ?? 0) + 1;
          await rename(round % 3 === 0 ? one : two, `${index}:${count}`, token, `${id}-${index}`);
          written.set(mine, count);
          for (const router of [one, two]) {
            expect(await ask(router, token, `${id}-${index}`)).toMatchObject({ name: `${index}:${count}` });
          }
          await ask(round % 2 === 0 ? one : two, token, `${id}-${(index + 1) % people.length}`);
        }
      };
      await Promise.all(tokens.map(person));
    });
  });

  describe('where the store is not told of the end of a mutation, and is of that of another', () => {
    const mutations = {
      renameUnseen: { subgraphs: ['catalog'], public: false },
      setCount: { subgraphs: ['stock'], public: false },
      rename: { returnedOnly: true },
      renameAs: { subgraphs: ['catalog'], returnedOnly: true },
    };

    beforeEach(async () => {
      for (const subgraph of [graph.catalog, graph.stock]) subgraph.cacheControl = 'private, max-age=60';
      one = await startRouter({ responseCache: { mutations } });
    });

    afterEach(async () => {
      await admin.config('SET', 'min-replicas-to-write', '0');
    });

    /** The name is `new` to all but who has asked for it between a mutation's beginning and what it does. */
    async function readDuringMutation(id: string): Promise<void> {
      graph.names.set(id, 'old');
      expect(await ask(one, ann, id)).toMatchObject({ name: 'old' });
      graph.names.set(id, 'new');
    }

    /** Until it is kept again. */
    async function shownFromNowOn(id: string): Promise<string[]> {
      const shown = new Set<string>();
      await until(async () => {
        const before = graph.calls();
        shown.add(JSON.stringify(await ask(one, ann, id)));
        return graph.calls() === before;
      });
      return [...shown];
    }

    test('later, who sent both sees nothing older', async () => {
      const { held, release } = graph.catalog.hold('renameUnseen');
      const change = one.query('mutation { renameUnseen(id: "p1", name: "new") }', { token: ann });
      await held;
      await readDuringMutation('p1');
      await admin.config('SET', 'min-replicas-to-write', '1');
      release();
      await change;
      await admin.config('SET', 'min-replicas-to-write', '0');
      await one.query('mutation { setCount(id: "p1", count: 1) { id } }', { token: ann });
      expect(await shownFromNowOn('p1')).toEqual(['{"id":"p1","name":"new","count":1}']);
    });

    test('at the same time, who sent both sees nothing older', async () => {
      const name = 'timbre_router_subgraph_fetch_duration_seconds';
      const answers = () => one.metric(name, { subgraph: 'catalog', le: '+Inf' });
      const holds = [graph.catalog.hold('rename('), graph.catalog.hold('renameAs')];
      const changes = [
        one.query('mutation { rename(id: "p1", name: "new") { id } }', { token: ann }),
        one.query(
          'mutation { renameAs(type: "Renamed", id: "p2", name: "new") { ... on Renamed { viewer { id } } } }',
          { token: ann },
        ),
      ];
      await Promise.all(holds.map(({ held }) => held));
      await readDuringMutation('p2');
      const before = await answers();
      // Of which no part can be marked.
      await admin.lpush('timbre:versioned:inv:in:Viewer', 'no marker');
      redis.pause();
      for (const { release } of holds) release();
      await until(async () => (await answers()) === before + 2);
      redis.resume();
      await Promise.all(changes);
      expect(await shownFromNowOn('p2')).toEqual(['{"id":"p2","name":"new","count":0}']);
    });
  });

  test('what somebody else has written to the store is not taken', async () => {
    await ask(one, ann);
    for (const key of await admin.keys('*entry:*')) await admin.set(key, '{"data":{"product":{"name":"forged"}}}');
    expect(await ask(two, bob)).toMatchObject({ name: 'Product p1' });
    for (const key of await admin.keys('*entry:*')) await admin.set(key, '[');
    expect(await ask(await startRouter(), bob)).toMatchObject({ name: 'Product p1' });
  });

  test.each([
    ['private where all look', { isPublic: false }],
    ['of before the store was emptied', { epoch: 'another' }],
    ['of nobody knows when', { epoch: undefined }],
    ['newer than all changes', { asOf: Number.MAX_SAFE_INTEGER }],
    ['without a time', { staleUntil: null }],
    ['over', { staleUntil: Date.now() - 1 }],
    ['without what it is made of', { ownTags: null }],
    ['made of something else than tags', { ownTags: [1] }],
    ['without data', { data: undefined }],
  ])('what stands in the store and is %s is not taken', async (_what, broken) => {
    await ask(one, ann);
    for (const key of await admin.keys('*entry:*')) {
      const entry: unknown = JSON.parse((await admin.get(key)) ?? '');
      await admin.set(key, JSON.stringify(Object.assign({}, entry, broken)));
    }
    const before = graph.calls();
    expect(await ask(two, bob)).toMatchObject({ name: 'Product p1' });
    expect(graph.calls()).toBe(before + 2);
  });

  test('what stands in the store is not kept for longer than it is remembered what has changed', async () => {
    await ask(one, ann);
    const inAYear = Date.now() + 365 * 24 * 3_600_000;
    for (const key of await admin.keys('*entry:*')) {
      const entry: unknown = JSON.parse((await admin.get(key)) ?? '');
      await admin.set(key, JSON.stringify(Object.assign({}, entry, { freshUntil: inAYear, staleUntil: inAYear })));
    }
    const before = graph.calls();
    const { headers } = await two.query(PRODUCT, { variables: { id: 'p1' } });
    expect(graph.calls()).toBe(before);
    expect(headers.get('cache-control')).toMatch(/max-age=3[56]\d\d$/);
  });
});
