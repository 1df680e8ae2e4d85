import { accounts, holds } from '@timbre/db/billing/tables';
import { grant, hold, settle } from '@timbre/db/ledger';
import { tellQuota } from '@timbre/platform/bus/tell-quota';
import { newId } from '@timbre/platform/ids';
import { callerOf } from '@timbre/platform/testing/caller';
import { hearInvalidations, type HeardInvalidations } from '@timbre/platform/testing/heard-invalidations';
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestBilling, type TestBilling } from './testing/test-billing.ts';

let billing: TestBilling;
let heard: HeardInvalidations;
beforeAll(async () => {
  billing = await startTestBilling();
  heard = await hearInvalidations(billing.bus);
});
afterAll(() => billing.close());

const keptFor = (userId: string, type: string, id: string, fields: string) =>
  callerOf(billing.url, userId).keptFor(
    `query ($r: [_Any!]!) { _entities(representations: $r) { ... on ${type} { ${fields} } } }`,
    { r: [{ __typename: type, id }] },
  );

async function reserve(userId: string): Promise<string> {
  const generationId = newId('gen');
  await billing.database.db.transaction((tx) => hold(tx, { userId, generationId, credits: 10, ttlSeconds: 600 }));
  return generationId;
}

test('a plan is kept for long, a quota for a minute and not beyond its period', async () => {
  const userId = newId('usr');
  await billing.database.db.transaction((tx) => grant(tx, { userId, planId: 'plan_basic' }));
  const ends = (inSeconds: number) =>
    billing.database.db
      .update(accounts)
      .set({ periodEnd: sql`now() + make_interval(secs => ${inSeconds})` })
      .where(eq(accounts.userId, userId));
  await ends(3600);
  expect(await keptFor(userId, 'User', userId, 'plan { id }')).toBe(300);
  expect(await keptFor(userId, 'User', userId, 'plan { id } quota { available }')).toBe(60);
  await ends(20);
  expect(await keptFor(userId, 'User', userId, 'quota { available }')).toBeGreaterThan(0);
  expect(await keptFor(userId, 'User', userId, 'quota { available }')).toBeLessThan(20);
  await ends(0.5);
  expect(await keptFor(userId, 'User', userId, 'quota { available }')).toBe(0);
});

test('what is held is kept for seconds, a receipt for long', async () => {
  const userId = newId('usr');
  const generationId = await reserve(userId);
  expect(await keptFor(userId, 'Generation', generationId, 'charge { state }')).toBe(10);
  await billing.database.db.transaction((tx) => settle(tx, { generationId }));
  expect(await keptFor(userId, 'Generation', generationId, 'charge { state }')).toBe(300);
  expect(await keptFor(userId, 'Generation', newId('gen'), 'charge { state }')).toBe(300);
});

test('a hold that is reaped and a quota that has changed are told', async () => {
  const userId = newId('usr');
  const generationId = await reserve(userId);
  await billing.database.db
    .update(holds)
    .set({ expiresAt: sql`now() - interval '1 second'` })
    .where(eq(holds.generationId, generationId));
  await expect.poll(heard.all).toEqual([`Generation ${generationId} billing`, `User ${userId} billing`]);
  heard.forget();
  await tellQuota(billing.bus, userId);
  await expect.poll(heard.all).toEqual([`User ${userId} billing`]);
});
