import { asc } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accounts } from './billing/tables.ts';
import { preparedRead } from './prepared.ts';
import { createTestDatabase, type TestDatabase } from './testing/test-database.ts';

let database: TestDatabase;
const user = (n: number) => `usr_${String(n).padStart(5, '0')}`;
beforeAll(async () => {
  database = await createTestDatabase({ max: 1 });
  await database.db.insert(accounts).values(
    Array.from({ length: 3000 }, (_, n) => ({
      userId: user(n),
      planId: 'plan_free',
      periodStart: new Date(2020, 0),
      periodEnd: new Date(2090, 0),
      creditLimit: 10,
    })),
  );
  await database.db.execute('analyze');
});
afterAll(() => database.drop());

const read = preparedRead('accounts_in_test', (db, among) =>
  db
    .select({ userId: accounts.userId, ends: accounts.periodEnd })
    .from(accounts)
    .where(among(accounts.userId, 'ids'))
    .orderBy(asc(accounts.userId)),
);

test.each([0, 1, 2, 40])('finds a list of %d', async (length) => {
  const ids = Array.from({ length }, (_, n) => user(n));
  expect(await read(database.db, { ids })).toEqual(ids.map((userId) => ({ userId, ends: new Date(2090, 0) })));
});

test('in a transaction, it sees what was written there', async () => {
  const ids = [user(9000)];
  await database.db.transaction(async (tx) => {
    await tx.insert(accounts).values({
      userId: user(9000),
      planId: 'plan_free',
      periodStart: new Date(2020, 0),
      periodEnd: new Date(2090, 0),
      creditLimit: 10,
    });
    expect(await read(tx, { ids })).toHaveLength(1);
  });
  expect(await read(database.db, { ids })).toHaveLength(1);
});

test('what is asked for one by one is not planned each time', async () => {
  for (let n = 0; n < 20; n++) await read(database.db, { ids: [user(n)] });
  const { rows } = await database.pool.query(
    "select custom_plans < 10 as once from pg_prepared_statements where name = 'accounts_in_test_one'",
  );
  expect(rows).toEqual([{ once: true }]);
});
