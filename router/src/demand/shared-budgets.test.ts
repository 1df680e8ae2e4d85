import { createRedisBuckets } from '@timbre/platform/limiter/redis-buckets';
import { createLogger } from '@timbre/platform/logger';
import { openShared } from '@timbre/platform/services';
import type { SharedServices } from '@timbre/platform/services';
import { redisMissing, startRedis } from '@timbre/platform/testing/redis';
import type { RedisServer } from '@timbre/platform/testing/redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { codesOf, startTestRouter } from '../testing/test-router.ts';
import type { Budgets } from './budgets.ts';
import { createSharedBudgets } from './shared-budgets.ts';

const log = createLogger({ name: 'test', level: 'silent' });
if (redisMissing !== null) process.stderr.write(`Shared budgets are not tested: ${redisMissing}.\n`);

/** Next to nothing comes back while a test looks. */
const SLOW = 0.001;
const ALLOWANCE = { limit: 100, restoreRate: SLOW };
const SHARE = 10;
/** Longer than any test: a Redis that is there answers, however busy the machine is, and what is here stays here. */
const NEVER = { deadlineMs: 60_000, idleMs: 60_000 };

describe.skipIf(redisMissing !== null)('two routers and one Redis', () => {
  let server: RedisServer;
  let shared: SharedServices[] = [];
  let budgets: [Budgets, Budgets];
  let key = '';
  let keys = 0;

  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  beforeEach(async () => {
    keys += 1;
    key = `user ${keys}`;
    const [a, b] = [await openShared(server.url, log), await openShared(server.url, log)];
    shared = [a, b];
    budgets = [
      createSharedBudgets({ ...NEVER, buckets: a.buckets }),
      createSharedBudgets({ ...NEVER, buckets: b.buckets }),
    ];
  });
  afterEach(async () => {
    for (const each of budgets) await each.close();
    for (const each of shared) await each.close();
  });

  /** From here on, what nobody has used for a moment goes back. */
  async function keepShortly(): Promise<void> {
    for (const each of budgets) await each.close();
    const [a, b] = shared.map(({ buckets }) => createSharedBudgets({ ...NEVER, idleMs: 100, buckets }));
    if (a !== undefined && b !== undefined) budgets = [a, b];
  }
  const take = async (which: 0 | 1, points: number, allowance = ALLOWANCE) =>
    budgets[which].take(key, allowance, points);
  const left = async () => (await shared[0]?.buckets.take(key, ALLOWANCE, { needed: 0, onTop: 0 }))?.available;

  test('spend from one bucket, and only what is there', async () => {
    const both = shared.map(({ buckets }) => createSharedBudgets({ ...NEVER, buckets }));
    const taken = await Promise.all(
      Array.from({ length: 50 }, () => both.map(async (each) => each.take(key, ALLOWANCE, 10))).flat(),
    );
    expect(taken.filter(({ granted }) => granted)).toHaveLength(10);
    for (const each of both) expect((await each.take(key, ALLOWANCE, 1)).granted).toBe(false);
    for (const each of both) await each.close();
  });

  test('take a tenth on top while half is left, and spend it without asking', async () => {
    const first = await take(0, 5);
    expect(first).toMatchObject({ granted: true, available: expect.closeTo(95, 1) });
    expect(await left()).toBeCloseTo(100 - 5 - SHARE, 1);
    expect(budgets[0].take(key, ALLOWANCE, 10)).toMatchObject({ granted: true, available: expect.closeTo(85, 1) });
    await take(1, 40);
    await take(0, 20);
    expect(await left()).toBeCloseTo(100 - 5 - 10 - 40 - 20, 1);
  });

  test('know without asking what is there, and ask anew about who was not let in for a while', async () => {
    await keepShortly();
    expect(budgets[0].known(key, ALLOWANCE)).toBe(100);
    await take(0, 100);
    expect(budgets[0].known(key, ALLOWANCE)).toBeCloseTo(0, 1);
    await take(1, 5);
    expect(budgets[1].known(key, ALLOWANCE)).toBeCloseTo(0, 1);
    await expect.poll(() => budgets[0].known(key, ALLOWANCE)).toBe(100);
    await server.kill();
    await expect.poll(() => shared[0]?.buckets.ready()).toBe(false);
    await take(0, 100);
    expect(budgets[0].known(key, ALLOWANCE)).toBeCloseTo(0, 1);
    await server.start();
  });

  test('give back what they do not use', async () => {
    await keepShortly();
    await take(0, 5);
    await expect.poll(left).toBeCloseTo(95, 1);
    const { source } = await take(1, 50);
    source.give(key, ALLOWANCE, 45);
    await expect.poll(left).toBeCloseTo(90, 1);
  });

  test('owe what was spent on top, each for the other', async () => {
    await keepShortly();
    const { source } = await take(0, 90);
    expect(source.give(key, ALLOWANCE, -50)).toBeCloseTo(-40, 1);
    await expect.poll(left).toBeCloseTo(-40, 1);
    expect((await take(1, 1)).granted).toBe(false);
    source.give(key, ALLOWANCE, -1000);
    await expect.poll(left).toBeCloseTo(-100, 1);
  });

  test('give back when they stop', async () => {
    await take(0, 5);
    await budgets[0].close();
    expect(await left()).toBeCloseTo(95, 1);
  });

  test('see points come back', async () => {
    const fast = { limit: 100, restoreRate: 50 };
    await take(0, 100, fast);
    expect((await take(1, 90, fast)).granted).toBe(false);
    await expect.poll(async () => (await take(1, 90, fast)).granted).toBe(true);
  });

  test('forget nothing when Redis forgets its scripts', async () => {
    await take(0, 60);
    await server.client.call('SCRIPT', 'FLUSH');
    expect((await take(1, 60)).granted).toBe(false);
    expect((await take(1, 40)).granted).toBe(true);
    expect(await server.client.call('PTTL', `timbre:bucket:${key}`)).toBeGreaterThan(0);
  });

  test('count for themselves while Redis is slow, wait for it once, and lose nothing that came too late', async () => {
    // A connection that waits for an answer without an end.
    const patient = createSharedBudgets({ buckets: createRedisBuckets(server.client), idleMs: 100 });
    await take(0, 60);
    server.pause();
    expect(await patient.take(key, ALLOWANCE, 40)).toMatchObject({ granted: true });
    expect(patient.take(key, ALLOWANCE, 30)).toMatchObject({ granted: true });
    expect(patient.take(key, ALLOWANCE, 31)).toMatchObject({ granted: false });
    server.resume();
    // What was asked for is granted when Redis is back, unneeded: it goes back to the bucket.
    await expect.poll(left).toBeCloseTo(40, 1);
    await patient.close();
  });

  test('count for themselves while Redis is away, and together when it is back', async () => {
    await take(0, 60);
    await server.kill();
    await expect.poll(() => shared[0]?.buckets.ready()).toBe(false);
    expect(budgets[0].take(key, ALLOWANCE, 100)).toMatchObject({ granted: true });
    expect(budgets[0].take(key, ALLOWANCE, 1)).toMatchObject({ granted: false });
    expect(await take(1, 100)).toMatchObject({ granted: true });
    await server.start();
    await expect.poll(() => shared.every(({ buckets }) => buckets.ready())).toBe(true);
    await expect.poll(async () => (await take(0, 60)).granted).toBe(true);
    expect((await take(1, 60)).granted).toBe(false);
  });
});

describe.skipIf(redisMissing !== null)('operations through two routers', () => {
  let server: RedisServer;
  let graph: TestGraph;
  beforeAll(async () => {
    server = await startRedis();
    graph = await startTestGraph();
  });
  afterAll(async () => {
    await graph.close();
    await server.stop();
  });

  test('are paid from one bucket, and none fails for want of Redis', async () => {
    const demand = { mode: 'enforce', budget: { default: { limit: 50, restoreRate: SLOW } } } as const;
    const shared = await Promise.all([openShared(server.url, log), openShared(server.url, log)]);
    const routers = await Promise.all(shared.map(({ buckets }) => startTestRouter(graph, { demand, buckets })));
    const [one, other] = routers;
    const remaining = async (router = one) => {
      const answer = await router?.query('{ people(first: 5) { id } }');
      const left = /r=(\d+)/.exec(answer?.headers.get('ratelimit') ?? '')?.[1];
      return { code: answer === undefined ? null : (codesOf(answer)[0] ?? 'ok'), left: Number(left) };
    };
    for (let i = 0; i < 8; i += 1) expect((await remaining(one)).code).toBe('ok');
    // A router that is busy may count for itself for a moment.
    await expect.poll(async () => (await remaining(other)).left, { interval: 500 }).toBeLessThan(10);
    await expect.poll(async () => (await remaining(other)).code, { interval: 200 }).toBe('THROTTLED');
    await server.kill();
    await expect.poll(() => shared.some(({ buckets }) => buckets.ready())).toBe(false);
    const codes = await Promise.all(Array.from({ length: 20 }, async () => (await remaining(one)).code));
    expect(new Set(codes)).toEqual(new Set(['ok', 'THROTTLED']));
    for (const router of routers) await router.close();
    for (const each of shared) await each.close();
  });
});
