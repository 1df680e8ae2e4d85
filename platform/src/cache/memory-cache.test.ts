import { expect, test } from 'vitest';
import { createMemoryCache } from './memory-cache.ts';

test('what is kept is forgotten in time', async () => {
  const cache = createMemoryCache();
  await cache.set('long', 'x', 60_000);
  await cache.set('short', 'x', 1);
  await expect.poll(() => cache.get('short')).toBeUndefined();
  expect(await cache.get('long')).toBe('x');
});

test('there is never more of it than there may be', async () => {
  const cache = createMemoryCache({ maxCharacters: 100 });
  for (let i = 0; i < 10; i += 1) await cache.set(`k${i}`, 'x'.repeat(20), 60_000);
  expect(await cache.get('k0')).toBeUndefined();
  expect(await cache.get('k9')).toBe('x'.repeat(20));
});
