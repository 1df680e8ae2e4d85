import { expect, test } from 'vitest';
import { SequenceCheck } from './sequence-check.ts';

function reportOf(sequences: readonly number[]) {
  const check = new SequenceCheck();
  for (const sequence of sequences) check.take(7, { event: { sequence } });
  return check.report();
}

test('events in order are neither lost nor repeated', () => {
  expect(reportOf([1, 2, 3])).toEqual({ taken: 3, lost: 0, repeated: 0 });
});

test('a gap is as many lost events as it is wide, the beginning included', () => {
  expect(reportOf([3, 4, 7])).toEqual({ taken: 3, lost: 4, repeated: 0 });
});

test('what came before comes twice', () => {
  expect(reportOf([1, 2, 2, 1, 3])).toEqual({ taken: 5, lost: 0, repeated: 2 });
});

test('each channel counts for itself', () => {
  const check = new SequenceCheck();
  check.take(1, { event: { sequence: 1 } });
  check.take(2, { event: { sequence: 1 } });
  expect(check.report()).toEqual({ taken: 2, lost: 0, repeated: 0 });
});
