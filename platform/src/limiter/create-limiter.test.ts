import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLimiter } from './create-limiter.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('a key has its points per window, and another key its own', async () => {
  const limiter = createLimiter({ name: 'test', points: 2, durationSeconds: 1 });
  expect(await limiter.consume('a')).toEqual({ allowed: true, remaining: 1, retryAfterMs: 0 });
  expect(await limiter.consume('a')).toMatchObject({ allowed: true, remaining: 0 });
  expect(await limiter.consume('a')).toEqual({ allowed: false, remaining: 0, retryAfterMs: 1_000 });
  expect((await limiter.consume('b')).allowed).toBe(true);
  vi.advanceTimersByTime(999);
  expect(await limiter.consume('a')).toEqual({ allowed: false, remaining: 0, retryAfterMs: 1 });
  vi.advanceTimersByTime(1);
  expect((await limiter.consume('a')).allowed).toBe(true);
});
