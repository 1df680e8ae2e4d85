import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { endOfTurn } from './end-of-turn.ts';

/** Has two stages after the turn, and says when it is in which. */
async function work(name: number, done: string[]): Promise<void> {
  await endOfTurn();
  done.push(`${name} first`);
  await Promise.resolve();
  done.push(`${name} second`);
}

test('what has arrived in one turn goes on together, one stage after the other', async () => {
  const done: string[] = [];
  await Promise.all([work(1, done), work(2, done)]);
  expect(done).toEqual(['1 first', '2 first', '1 second', '2 second']);
});

test('nothing goes on before what is read in the same turn', async () => {
  const done: string[] = [];
  const [one] = [work(1, done), Promise.resolve().then(() => work(2, done))];
  process.nextTick(() => done.push('read'));
  await one;
  await nextTurn();
  expect(done).toEqual(['read', '1 first', '2 first', '1 second', '2 second']);
});

test('the first 32 are through with what they can do before the next begin', async () => {
  const done: string[] = [];
  await Promise.all(Array.from({ length: 40 }, (_, index) => work(index, done)));
  expect(done.indexOf('31 second')).toBeLessThan(done.indexOf('32 first'));
  expect(done.indexOf('31 first')).toBeLessThan(done.indexOf('0 second'));
  expect(done).toHaveLength(80);
});

test('what arrives in a later turn is a group of its own', async () => {
  const done: string[] = [];
  await work(1, done);
  await work(2, done);
  expect(done).toEqual(['1 first', '1 second', '2 first', '2 second']);
});
