import { expect, test } from 'vitest';
import { createLogger } from '../logger.ts';
import { boundWrites } from './bound-writes.ts';
import { createMemoryCache } from './memory-cache.ts';

test('takes what a day has room for, and more as the day goes on', async () => {
  const cache = createMemoryCache();
  let at = 0;
  const log = createLogger({ name: 'test', level: 'silent' });
  const bounded = boundWrites(cache, { charactersPerDay: 240, log, now: () => at });
  const text = 'x'.repeat(98);
  for (const key of ['k1', 'k2', 'k3']) await bounded.set(key, text, 60_000);
  expect([await bounded.get('k1'), await bounded.get('k2'), await bounded.get('k3')]).toEqual([text, text, undefined]);
  await bounded.set('k1', 'less', 60_000);
  expect(await cache.get('k1')).toBe('less');

  at += 6 * 3_600_000;
  await bounded.set('k3', text, 60_000);
  expect(await bounded.get('k3'), 'after six hours').toBe(undefined);
  at += 1 * 3_600_000;
  await bounded.set('k3', text, 60_000);
  expect(await bounded.get('k3'), 'after seven').toBe(text);

  at -= 24 * 3_600_000;
  await bounded.set('k4', text, 60_000);
  expect(await bounded.get('k4'), 'when the clock has gone back').toBe(undefined);
  at += 365 * 24 * 3_600_000;
  for (const key of ['k5', 'k6', 'k7']) await bounded.set(key, text, 60_000);
  expect(await bounded.get('k7'), 'never more than a day at once').toBe(undefined);
  await bounded.delete('k5');
  expect(await cache.get('k5')).toBe(undefined);
  await bounded.close();
});
