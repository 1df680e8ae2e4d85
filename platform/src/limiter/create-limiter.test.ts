import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createMemoryCache } from '../cache/memory-cache.ts';
import { createLimiter } from './create-limiter.ts';

test('a key has its points per window, and another key its own', async () => {
  const limiter = createLimiter({ name: 'test', points: 2, durationSeconds: 1 });
  expect(await limiter.consume('a')).toEqual({ allowed: true, remaining: 1, retryAfterMs: 0 });
  expect(await limiter.consume('a')).toMatchObject({ allowed: true, remaining: 0 });
  const refused = await limiter.consume('a');
  expect(refused.allowed).toBe(false);
  expect((await limiter.consume('b')).allowed).toBe(true);
  await delay(refused.retryAfterMs + 20);
  expect((await limiter.consume('a')).allowed).toBe(true);
});

test('the cache in the process forgets in time and stays within its bounds', async () => {
  const cache = createMemoryCache({ maxCharacters: 100 });
  await cache.set('a', 'x', 20);
  expect(await cache.get('a')).toBe('x');
  await delay(40);
  expect(await cache.get('a')).toBeUndefined();
  for (let i = 0; i < 10; i += 1) await cache.set(`k${i}`, 'x'.repeat(20), 60_000);
  expect(await cache.get('k0')).toBeUndefined();
  expect(await cache.get('k9')).toBe('x'.repeat(20));
});
