import type { TestDatabase } from '@timbre/db/testing/test-database';
import { createTestDatabase } from '@timbre/db/testing/test-database';
import { DEV_ISSUER, devSubject } from '@timbre/platform/dev-issuer';
import { resolvePrincipal } from '@timbre/users/services/resolve-principal';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { grantTo } from './grant-to.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await database.drop();
});

const dev = { credits: 0, devIssuer: true };

test('a plan and credits reach the user who signs in later with that address', async () => {
  const outcome = await grantTo(database.db, { ...dev, email: 'Ada@example.com', plan: 'premium', credits: 250 });
  expect(outcome).toMatchObject({
    created: true,
    before: { plan: { id: 'plan_free' }, quota: { limit: 10_000 } },
    after: { plan: { id: 'plan_premium' }, quota: { limit: 500_250, available: 500_250 } },
  });
  const identity = { iss: DEV_ISSUER, sub: devSubject('ada@example.com'), email: 'ada@example.com' };
  const principal = await resolvePrincipal(database.db, identity);
  expect(principal).toMatchObject({ userId: outcome.userId, plan: 'plan_premium' });
});

test('credits alone leave the plan, and add up', async () => {
  await grantTo(database.db, { ...dev, email: 'bob@example.com', credits: 5 });
  const outcome = await grantTo(database.db, { ...dev, email: 'bob@example.com', credits: 6 });
  expect(outcome).toMatchObject({ created: false, after: { plan: { id: 'plan_free' }, quota: { limit: 10_011 } } });
});

test('a plan is named by its id or its tier; any other name lists them and makes nobody', async () => {
  const byId = await grantTo(database.db, { ...dev, email: 'carl@example.com', plan: 'plan_basic' });
  expect(byId.after.plan.tier).toBe('BASIC');
  const refused = grantTo(database.db, { ...dev, email: 'dora@example.com', plan: 'gold' });
  await expect(refused).rejects.toThrow(
    /There is no plan gold\. The plans are:\n.*free.*\n.*basic.*\n.*premium.*\n.*enterprise/,
  );
  const later = await grantTo(database.db, { ...dev, email: 'dora@example.com', credits: 1 });
  expect(later.created).toBe(true);
});

test("with a real issuer only somebody who has signed in can be found, and only if the address is one user's", async () => {
  const real = { email: 'eve@example.com', credits: 1, devIssuer: false };
  await expect(grantTo(database.db, real)).rejects.toThrow('Nobody with the address eve@example.com');
  const first = await resolvePrincipal(database.db, { iss: 'https://a.example', sub: '1', email: 'eve@example.com' });
  expect((await grantTo(database.db, real)).userId).toBe(first.userId);
  await resolvePrincipal(database.db, { iss: 'https://b.example', sub: '1', email: 'EVE@example.com' });
  await expect(grantTo(database.db, real)).rejects.toThrow('the address of several users');
});
