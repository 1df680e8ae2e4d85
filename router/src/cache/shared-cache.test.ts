import { createLogger } from '@timbre/platform/logger';
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
  });
  afterAll(async () => {
    await redis.stop();
  });

  async function startRouter(options: Partial<RouterOptions> = {}): Promise<TestRouter> {
    const store = createRedisVersionedStore({ url: redis.url, log });
    const router = await startTestRouter(graph, { issuer, responseCache: { store }, ...options });
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

  test('a Redis that is slow is not waited for', async () => {
    await ask(one, ann);
    await admin.call('CLIENT', 'PAUSE', '1500', 'ALL');
    const begun = performance.now();
    await two.query('mutation { setCount(id: "p1", count: 3) { count } }', { token: bob });
    const before = performance.now();
    expect(await ask(one, ann)).toMatchObject({ count: 3 });
    expect(await ask(one, ann)).toMatchObject({ count: 3 });
    expect(performance.now() - before).toBeLessThan(400);
    expect(before - begun).toBeLessThan(1_400);
    await isShared(one);
    expect(await ask(one, ann)).toMatchObject({ count: 3 });
  });

  test('what somebody else has written to the store is not taken', async () => {
    await ask(one, ann);
    for (const key of await admin.keys('*entry:*')) await admin.set(key, '{"data":{"product":{"name":"forged"}}}');
    expect(await ask(two, bob)).toMatchObject({ name: 'Product p1' });
    for (const key of await admin.keys('*entry:*')) await admin.set(key, '[');
    expect(await ask(await startRouter(), bob)).toMatchObject({ name: 'Product p1' });
  });
});
