import { expect, test } from 'vitest';
import { findRate, type Trial } from './find-rate.ts';

/** Holds up to `limit`; what a request costs there tells of `told`. */
function system(limit: number, told = limit) {
  const tried: number[] = [];
  return {
    tried,
    attempt: async (rate: number): Promise<Trial> => {
      tried.push(rate);
      return { holds: rate <= limit, roomFor: told };
    },
  };
}

test.each([
  ['what a request costs tells the limit', 400, 1_000, 1_000, 4],
  ['it tells too much', 400, 1_000, 1_150, 8],
  ['it tells too little', 400, 1_000, 900, 6],
  ['it tells next to nothing', 400, 1_000, 10, 8],
  ['the first rate is far too high', 400, 130, 130, 5],
  ['the first rate is far too low', 10, 1_000, 1_000, 8],
])('finds the highest rate that holds where %s', async (_, first, limit, told, trials) => {
  const { tried, attempt } = system(limit, told);
  const found = await findRate(first, attempt);
  expect(found).toBeLessThanOrEqual(limit);
  if (told > first) expect(found).toBeGreaterThan(limit / 1.06);
  expect(tried.length).toBeLessThanOrEqual(trials);
});

test('finds nothing where nothing holds, and does not look for it for ever', async () => {
  const { tried, attempt } = system(0);
  expect(await findRate(400, attempt)).toBe(0);
  expect(tried.length).toBeLessThan(8);
});
