import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { redisMissing, startRedis } from '../testing/redis.ts';
import type { RedisServer } from '../testing/redis.ts';
import { createRelaxedLimiter } from './create-relaxed-limiter.ts';
import type { PromptLimiter } from './limiter.ts';

test('in one process it counts exactly', () => {
  const limiter = createRelaxedLimiter({ name: 'alone', points: 3, durationSeconds: 60 });
  const results = Array.from({ length: 10 }, () => limiter.consume('a'));
  expect(results.map(({ allowed }) => allowed)).toEqual([true, true, true, ...Array.from({ length: 7 }, () => false)]);
  expect(results.map(({ remaining }) => remaining)).toEqual([2, 1, 0, ...Array.from({ length: 7 }, () => 0)]);
  expect(limiter.consume('b', 2)).toEqual({ allowed: true, remaining: 1, retryAfterMs: 0 });
});

test('a window begins with its first point, and gives all of them back at its end', async () => {
  const limiter = createRelaxedLimiter({ name: 'short', points: 2, durationSeconds: 1 });
  limiter.consume('a', 2);
  const began = performance.now();
  await delay(300);
  const waited = performance.now() - began;
  const { allowed, retryAfterMs } = limiter.consume('a');
  expect(allowed).toBe(false);
  expect(retryAfterMs).toBeLessThanOrEqual(Math.ceil(1_000 - waited));
  await delay(retryAfterMs + 20);
  expect(performance.now() - began).toBeGreaterThan(950);
  expect(limiter.consume('a')).toEqual({ allowed: true, remaining: 1, retryAfterMs: 0 });
});

test('however many keys there are, none loses what it has taken', () => {
  const limiter = createRelaxedLimiter({ name: 'many', points: 1, durationSeconds: 60 });
  for (let key = 0; key < 25_000; key += 1) limiter.consume(String(key));
  for (const key of ['0', '9999', '24999']) expect(limiter.consume(key).allowed).toBe(false);
});

if (redisMissing !== null) process.stderr.write(`The relaxed limiter over Redis is not tested: ${redisMissing}.\n`);

describe.skipIf(redisMissing !== null)('over a real Redis', () => {
  let server: RedisServer;
  const connections: Redis[] = [];
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(async () => {
    for (const connection of connections) connection.disconnect();
    await server.stop();
  });

  const limiters = (name: string, count: number, points: number) =>
    Array.from({ length: count }, () => limiterOf(name, points));

  function limiterOf(name: string, points: number): PromptLimiter {
    const redis = new Redis(server.url, { maxRetriesPerRequest: 1, retryStrategy: () => 50 });
    redis.on('error', () => undefined);
    connections.push(redis);
    return createRelaxedLimiter({ name, points, durationSeconds: 60 }, redis);
  }

  test('four processes together give little more than one, to who asks steadily', async () => {
    const all = limiters('steady', 4, 200);
    await delay(200);
    let given = 0;
    // 1,000 a second of each: a hundred within the tenth of a second between two reports.
    for (let round = 0; round < 100; round += 1) {
      const results = all.map((limiter) => limiter.consume('a', 2));
      given += results.filter(({ allowed }) => allowed).length * 2;
      await delay(10);
    }
    expect(given).toBeGreaterThanOrEqual(200);
    expect(given).toBeLessThanOrEqual(200 + 4 * (20 + 2 * 30));
    const after = all.map((limiter) => limiter.consume('a'));
    expect(after.map(({ allowed }) => allowed)).toEqual([false, false, false, false]);
    expect(after.every(({ retryAfterMs }) => retryAfterMs > 30_000)).toBe(true);
  });

  test('who asks seldom costs Redis nothing', async () => {
    const limiter = limiterOf('seldom', 100);
    await delay(200);
    for (let i = 0; i < 10; i += 1) limiter.consume('quiet');
    for (let i = 0; i < 11; i += 1) limiter.consume('loud');
    const [redis] = connections;
    for (;;) {
      const keys = (await redis?.keys('timbre:limit:seldom:*')) ?? [];
      expect(keys).not.toContain('timbre:limit:seldom:quiet');
      // All that came before it was loud is reported with it.
      if (keys.includes('timbre:limit:seldom:loud')) break;
      await delay(10);
    }
    expect(await redis?.get('timbre:limit:seldom:loud')).toBe('11');
  });

  test('a Redis that does not answer holds nothing up, and what it did not hear is not counted later', async () => {
    const limiter = limiterOf('frozen', 50);
    await delay(200);
    await server.kill();
    const started = performance.now();
    const results = Array.from({ length: 60 }, () => limiter.consume('a'));
    expect(results.filter((result) => result.allowed).length).toBe(50);
    expect(performance.now() - started).toBeLessThan(100);
    await server.start();
    expect(limiter.consume('b').allowed).toBe(true);
  });
});
