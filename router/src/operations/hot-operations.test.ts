import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createHotOperations } from './hot-operations.ts';
import type { HotOperation } from './hot-operations.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const operation = (query: string, access = '') => ({ query, operationName: null, incremental: false, access });
const use = (hot: ReturnType<typeof createHotOperations>, query: string, times = 1, access = '') => {
  for (let i = 0; i < times; i += 1) hot.count({}, () => operation(query, access));
};

test('the busiest come first, told apart by who may see what', () => {
  const hot = createHotOperations();
  use(hot, '{ a }', 2);
  use(hot, '{ b }', 5);
  use(hot, '{ a }', 3, 'other');
  expect(hot.busiest(2)).toEqual([operation('{ b }'), operation('{ a }', 'other')]);
});

test('what is known by its identity is not described again', () => {
  const hot = createHotOperations();
  const plan = {};
  const describe = vi.fn<() => HotOperation>(() => operation('{ a }'));
  hot.count(plan, describe);
  hot.count(plan, describe);
  expect(describe).toHaveBeenCalledTimes(1);
  expect(hot.save(1)).toContain('"uses":2');
});

test('what nobody asks for any more is forgotten', () => {
  const hot = createHotOperations();
  use(hot, '{ old }', 8);
  vi.setSystemTime(Date.now() + 20 * 60_000);
  use(hot, '{ new }', 1);
  expect(hot.busiest(1)).toEqual([operation('{ new }')]);
  vi.setSystemTime(Date.now() + 60 * 60_000);
  expect(hot.busiest(9)).toEqual([]);
});

test('a flood of others does not wash out what is busy, nor does it grow without end', () => {
  const hot = createHotOperations();
  use(hot, '{ busy }', 50);
  for (let i = 0; i < 2_000; i += 1) use(hot, `{ a${i} }`);
  use(hot, `{ a(text: "${'x'.repeat(20_000)}") }`, 99);
  expect(hot.busiest(9_999)).toHaveLength(500);
  expect(hot.busiest(1)).toEqual([operation('{ busy }')]);
});

test('what was saved counts on', () => {
  const before = createHotOperations();
  use(before, '{ a }', 3);
  use(before, '{ b }', 2);
  const after = createHotOperations();
  after.restore(before.save(1));
  use(after, '{ c }', 2);
  expect(after.busiest(9)).toEqual([operation('{ a }'), operation('{ c }')]);
});
