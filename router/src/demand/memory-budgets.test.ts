import { expect, test } from 'vitest';
import { createMemoryBudgets } from './memory-budgets.ts';

const ALLOWANCE = { limit: 10, restoreRate: 2 };

function budgets(max?: number) {
  const clock = { now: 1_000_000 };
  const memory = createMemoryBudgets({ now: () => clock.now, ...(max === undefined ? {} : { max }) });
  const take = async (points: number, key = 'k', allowance = ALLOWANCE) => {
    const { granted, available } = await memory.take(key, allowance, points);
    return { granted, available };
  };
  return { clock, memory, take };
}

test('points come back at their rate, in fractions too, and no more of them than the bucket holds', async () => {
  const { clock, take } = budgets();
  expect(await take(10)).toEqual({ granted: true, available: 0 });
  expect(await take(1)).toEqual({ granted: false, available: 0 });
  clock.now += 250;
  expect(await take(1)).toEqual({ granted: false, available: 0.5 });
  clock.now += 250;
  expect(await take(1)).toEqual({ granted: true, available: 0 });
  clock.now += 3_600_000;
  expect(await take(0)).toEqual({ granted: true, available: 10 });
});

test('a clock that goes back restores nothing, and takes nothing', async () => {
  const { clock, take } = budgets();
  await take(10);
  clock.now -= 500_000;
  expect(await take(1)).toEqual({ granted: false, available: 0 });
  clock.now += 500;
  expect(await take(1)).toEqual({ granted: true, available: 0 });
});

test('what is given back is never more than the bucket holds, and what is owed neither', async () => {
  const { memory, take } = budgets();
  await take(3);
  expect(memory.give('k', ALLOWANCE, 100)).toBe(10);
  expect(memory.give('k', ALLOWANCE, -100)).toBe(-10);
  expect(await take(0)).toEqual({ granted: true, available: -10 });
});

test('a bucket follows the plan when that changes', async () => {
  const { take } = budgets();
  await take(1);
  expect(await take(0, 'k', { limit: 4, restoreRate: 1 })).toEqual({ granted: true, available: 4 });
  expect(await take(0, 'k', { limit: 100, restoreRate: 1 })).toEqual({ granted: true, available: 4 });
});

test('what is known is what is there, and a whole bucket of who has not asked', async () => {
  const { clock, memory, take } = budgets();
  expect(memory.known('k', ALLOWANCE)).toBe(10);
  await take(10);
  expect(memory.known('k', ALLOWANCE)).toBe(0);
  clock.now += 500;
  expect(memory.known('k', ALLOWANCE)).toBe(1);
  expect(memory.known('k', ALLOWANCE)).toBe(1);
});

test('there are never more buckets than there may be', async () => {
  const { take } = budgets(2);
  await take(10, 'a');
  await take(10, 'b');
  await take(10, 'c');
  expect(await take(10, 'c')).toMatchObject({ granted: false });
  expect(await take(10, 'a')).toMatchObject({ granted: true });
});
