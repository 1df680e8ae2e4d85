import { once } from 'node:events';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { redisMissing, startRedis } from '../testing/redis.ts';
import type { RedisServer } from '../testing/redis.ts';
import { createRelaxedLimiter } from './create-relaxed-limiter.ts';
import type { PromptLimiter } from './limiter.ts';

afterEach(() => {
  vi.useRealTimers();
});

test('in one process it counts exactly', () => {
  const limiter = createRelaxedLimiter({ name: 'alone', points: 3, durationSeconds: 60 });
  const results = Array.from({ length: 10 }, () => limiter.consume('a'));
  expect(results.map(({ allowed }) => allowed)).toEqual([true, true, true, ...Array.from({ length: 7 }, () => false)]);
  expect(results.map(({ remaining }) => remaining)).toEqual([2, 1, 0, ...Array.from({ length: 7 }, () => 0)]);
  expect(limiter.consume('b', 2)).toEqual({ allowed: true, remaining: 1, retryAfterMs: 0 });
});

test('a window begins with its first point, and gives all of them back at its end', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const limiter = createRelaxedLimiter({ name: 'short', points: 2, durationSeconds: 1 });
  limiter.consume('a', 2);
  vi.advanceTimersByTime(300);
  expect(limiter.consume('a')).toEqual({ allowed: false, remaining: 0, retryAfterMs: 700 });
  vi.advanceTimersByTime(699);
  expect(limiter.consume('a')).toEqual({ allowed: false, remaining: 0, retryAfterMs: 1 });
  vi.advanceTimersByTime(1);
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

  /** As a process has it: on a connection of its own, which stands. */
  async function limiterOf(name: string, points: number): Promise<PromptLimiter> {
    const redis = new Redis(server.url, { maxRetriesPerRequest: 1, retryStrategy: () => 50 });
    redis.on('error', () => undefined);
    connections.push(redis);
    await once(redis, 'ready');
    return createRelaxedLimiter({ name, points, durationSeconds: 60 }, redis);
  }

  test('four processes together give little more than one, to who asks steadily', async () => {
    const all = await Promise.all(Array.from({ length: 4 }, () => limiterOf('steady', 200)));
    const reported = async () => Number(await server.client.get('timbre:limit:steady:a'));
    let given = 0;
    // So much of each between two reports.
    const taken = 10;
    const takeOnce = () => {
      const allowed = all.filter((limiter) => limiter.consume('a', taken).allowed).length;
      given += allowed * taken;
      return allowed;
    };
    // Of the first tenth of its points a process tells nobody.
    takeOnce();
    takeOnce();
    while (takeOnce() > 0) await expect.poll(reported).toBe(given);
    expect(given).toBeGreaterThanOrEqual(200);
    expect(given).toBeLessThanOrEqual(200 + 4 * (20 + taken));
    const after = all.map((limiter) => limiter.consume('a'));
    expect(after.every(({ retryAfterMs }) => retryAfterMs > 30_000)).toBe(true);
  });

  test('who asks seldom costs Redis nothing', async () => {
    const limiter = await limiterOf('seldom', 100);
    for (let i = 0; i < 10; i += 1) limiter.consume('quiet');
    for (let i = 0; i < 11; i += 1) limiter.consume('loud');
    // All that came before it was loud is reported with it.
    await expect.poll(() => server.client.get('timbre:limit:seldom:loud')).toBe('11');
    expect(await server.client.exists('timbre:limit:seldom:quiet')).toBe(0);
  });

  test('a Redis that does not answer holds nothing up, and what it did not hear is not counted later', async () => {
    const limiter = await limiterOf('frozen', 50);
    await server.kill();
    const results = Array.from({ length: 60 }, () => limiter.consume('a'));
    expect(results.filter((result) => result.allowed).length).toBe(50);
    await server.start();
    expect(limiter.consume('b').allowed).toBe(true);
  });
});
