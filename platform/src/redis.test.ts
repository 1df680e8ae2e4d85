import { once } from 'node:events';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRedisBus } from './bus/redis-bus.ts';
import { createRedisCache } from './cache/redis-cache.ts';
import { createLimiter } from './limiter/create-limiter.ts';
import { createLogger } from './logger.ts';
import { redisMissing, startRedis } from './testing/redis.ts';
import type { RedisServer } from './testing/redis.ts';

const log = createLogger({ name: 'test', level: 'silent' });
if (redisMissing !== null) process.stderr.write(`The Redis side is not tested: ${redisMissing}.\n`);

describe.skipIf(redisMissing !== null)('against a real Redis', () => {
  let server: RedisServer;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url, { maxRetriesPerRequest: 1 });
    redis.on('error', () => undefined);
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  test('the bus reaches other processes, and no longer after unsubscribing', async () => {
    const [a, b] = [createRedisBus({ url: server.url, log }), createRedisBus({ url: server.url, log })];
    const first = Promise.withResolvers<string>();
    const seen: string[] = [];
    const leave = await a.subscribe('x:1', (payload) => void seen.push(payload));
    await a.subscribe('x:1', first.resolve);
    await b.publish('x:1', 'one');
    expect(await first.promise).toBe('one');
    expect(seen).toEqual(['one']);
    await leave();
    const second = Promise.withResolvers<string>();
    await a.subscribe('x:1', second.resolve);
    await b.publish('x:1', 'two');
    expect(await second.promise).toBe('two');
    expect(seen).toEqual(['one']);
    await expect(b.publish('x:1', 'x'.repeat(8_000))).rejects.toThrow('at most 7900 bytes');
    await Promise.all([a.close(), b.close()]);
  });

  test("the cache forgets in time, and tenants' keys stay apart from the bus's and the limiter's", async () => {
    const cache = createRedisCache({ redis, log });
    await cache.set('usr_1:a', 'value', 1);
    await expect.poll(() => cache.get('usr_1:a')).toBeUndefined();
    await cache.set('usr_1:b', 'value', 60_000);
    expect(await cache.get('usr_1:b')).toBe('value');
    await cache.delete('usr_1:b');
    expect(await cache.get('usr_1:b')).toBeUndefined();
  });

  test('two processes share one limit', async () => {
    const other = new Redis(server.url);
    await once(other, 'ready');
    const options = { name: 'shared', points: 3, durationSeconds: 60 };
    const [one, two] = [createLimiter(options, redis), createLimiter(options, other)];
    expect(await one.consume('k', 2)).toMatchObject({ allowed: true, remaining: 1 });
    expect(await two.consume('k')).toMatchObject({ allowed: true, remaining: 0 });
    const refused = await one.consume('k');
    expect(refused).toMatchObject({ allowed: false, remaining: 0 });
    expect(refused.retryAfterMs).toBeGreaterThan(50_000);
    other.disconnect();
  });

  test('while Redis is away the cache is empty, the limiter counts here, and the bus comes back', async () => {
    const cache = createRedisCache({ redis, log });
    const limiter = createLimiter({ name: 'away', points: 1, durationSeconds: 60 }, redis);
    const bus = createRedisBus({ url: server.url, log });
    const back = Promise.withResolvers<void>();
    const marker = Promise.withResolvers<string>();
    await bus.subscribe('x:2', marker.resolve, back.resolve);
    await cache.set('k', 'v', 60_000);

    await server.kill();
    expect(await cache.get('k')).toBeUndefined();
    await cache.set('k', 'v', 60_000);
    expect((await limiter.consume('k')).allowed).toBe(true);
    expect((await limiter.consume('k')).allowed).toBe(false);

    await server.start();
    await back.promise;
    const publisher = createRedisBus({ url: server.url, log });
    await publisher.publish('x:2', 'again');
    expect(await marker.promise).toBe('again');
    await Promise.all([bus.close(), publisher.close()]);
  });
});
