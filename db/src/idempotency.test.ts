import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type Outcome, withIdempotency } from './idempotency.ts';
import { voicesIdempotency } from './schema.ts';
import { createTestDatabase, type TestDatabase } from './testing/test-database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ max: 20 });
});
afterAll(() => database.drop());

const result = z.object({ id: z.string() });
type Result = z.infer<typeof result>;
const call = (key: string, input: unknown, run: () => Promise<Outcome<Result>>, userId = 'usr_1') =>
  database.db.transaction((tx) =>
    withIdempotency(tx, voicesIdempotency, { userId, operation: 'make', key, input, result }, run),
  );
const making = (id: string) => async () => ({ result: { id }, remember: true });

test('the same input replays, another conflicts, another user or key is another call', async () => {
  expect(await call('k1', { a: 1, b: [1, { c: 2, d: 3 }] }, making('one'))).toEqual({
    kind: 'done',
    replayed: false,
    result: { id: 'one' },
  });
  const again = await call('k1', { b: [1, { d: 3, c: 2 }], a: 1, e: undefined }, making('two'));
  expect(again).toEqual({ kind: 'done', replayed: true, result: { id: 'one' } });
  expect(await call('k1', { a: 2 }, making('two'))).toEqual({ kind: 'conflict' });
  expect(await call('k1', { a: 2 }, making('two'), 'usr_2')).toMatchObject({ replayed: false });
  expect(await call('k2', { a: 2 }, making('two'))).toMatchObject({ replayed: false });
});

test('of many calls at once one runs and the others get its result', async () => {
  let runs = 0;
  const results = await Promise.all(
    Array.from({ length: 15 }, () =>
      call('crowd', {}, async () => {
        runs++;
        await new Promise((resolve) => setTimeout(resolve, 50));
        return { result: { id: `run ${runs}` }, remember: true };
      }),
    ),
  );
  expect(runs).toBe(1);
  expect(results.filter((done) => done.kind === 'done' && !done.replayed)).toHaveLength(1);
  expect(new Set(results.map((done) => done.kind === 'done' && done.result.id))).toEqual(new Set(['run 1']));
});

test('a failure or a refusal leaves the key unused, also for those who wait for it', async () => {
  let waiting: ReturnType<typeof call> | undefined;
  const failing = call('retry', {}, async () => {
    waiting = call('retry', {}, making('waited'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    throw new Error('down');
  });
  await expect(failing).rejects.toThrow('down');
  expect(await waiting).toEqual({ kind: 'done', replayed: false, result: { id: 'waited' } });

  const refusal = { result: { id: 'refused' }, remember: false };
  expect(await call('refused', {}, async () => refusal)).toMatchObject({ replayed: false, result: { id: 'refused' } });
  expect(await call('refused', { other: true }, making('later'))).toMatchObject({ replayed: false });
});
