import { expect, test } from 'vitest';
import { onBeat } from './beats.ts';

test('those who join at about the same time are called in the same turn, again and again, until they leave', async () => {
  const calls: string[] = [];
  const thrice = Promise.withResolvers<void>();
  const leaveA = onBeat(50, () => calls.push('a'));
  const leaveB = onBeat(50, () => {
    calls.push('b');
    if (calls.length === 6) thrice.resolve();
  });
  const begun = performance.now();
  await thrice.promise;
  expect(performance.now() - begun).toBeGreaterThan(100);
  expect(calls).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
  leaveA();
  leaveA();
  const once = Promise.withResolvers<void>();
  calls.length = 0;
  const leaveC = onBeat(50, once.resolve);
  await once.promise;
  leaveB();
  leaveC();
  expect(calls).toEqual(['b']);
});

test('one of others is not called for the first time before its time has passed', async () => {
  const leaveOther = onBeat(40, () => undefined);
  await new Promise((resolve) => {
    setTimeout(resolve, 25);
  });
  const joined = performance.now();
  const called = Promise.withResolvers<number>();
  const leave = onBeat(40, () => called.resolve(performance.now() - joined));
  // Within the slot that it joined in.
  expect(await called.promise).toBeGreaterThan(40 - 40 / 20 - 1);
  leave();
  leaveOther();
});
