import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accounts, balances, entries, holds } from '../billing/tables.ts';
import type { Tx } from '../client.ts';
import { commitTotal, grant, hold, readCharges, readQuotas, reapExpiredHolds, settle } from '../ledger.ts';
import { apiKeys, users } from '../users/tables.ts';
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ max: 30 });
});
afterAll(() => database.drop());

let counter = 0;
const fresh = (prefix: string) => `${prefix}_${++counter}`;
const inTx = <T>(run: (tx: Tx) => Promise<T>) => database.db.transaction(run);
const holdFor = (userId: string, credits: number, generationId = fresh('gen'), ttlSeconds = 600) =>
  inTx((tx) => hold(tx, { userId, generationId, credits, ttlSeconds }));
const commit = (generationId: string, totalCredits: number) =>
  inTx((tx) => commitTotal(tx, { generationId, totalCredits }));
const settled = (generationId: string) => inTx((tx) => settle(tx, { generationId }));
const quotaOf = async (userId: string) => (await readQuotas(database.db, [userId]))[0];
const chargeOf = async (userId: string, generationId: string) =>
  (await readCharges(database.db, userId, [generationId]))[0];
const unbalanced = () =>
  database.db
    .select()
    .from(balances)
    .where(sql`used <> committed or held <> open_holds or available < 0`);
const toLastMonth = (userId: string) =>
  database.db
    .update(accounts)
    .set({ periodStart: sql`period_start - interval '40 days'`, periodEnd: sql`now() - interval '1 second'` })
    .where(eq(accounts.userId, userId))
    // The entries of that period must go with it, which is why the trigger has to look away here.
    .then(() =>
      inTx(async (tx) => {
        await tx.execute(sql`alter table billing.entries disable trigger entries_append_only`);
        await tx.execute(
          sql`update billing.entries set period_start = period_start - interval '40 days' where user_id = ${userId}`,
        );
        await tx.execute(sql`alter table billing.entries enable trigger entries_append_only`);
      }),
    );

describe('hold, commit, release', () => {
  test('a user unknown to billing has the Free plan until the end of the month', async () => {
    const now = new Date();
    expect(await quotaOf('usr_unknown')).toEqual({
      userId: 'usr_unknown',
      limit: 10_000,
      used: 0,
      held: 0,
      available: 10_000,
      resetsAt: new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1)),
    });
  });

  test('a hold reserves, commits move to used, settling gives the rest back', async () => {
    const user = fresh('usr');
    const generation = fresh('gen');
    expect(await holdFor(user, 1000, generation)).toEqual({ ok: true });
    expect(await quotaOf(user)).toMatchObject({ used: 0, held: 1000, available: 9000 });
    await commit(generation, 200);
    await commit(generation, 450);
    expect(await quotaOf(user)).toMatchObject({ used: 450, held: 550, available: 9000 });
    await settled(generation);
    expect(await quotaOf(user)).toMatchObject({ used: 450, held: 0, available: 9550 });
    const receipt = { state: 'COMMITTED', reserved: 1000, committed: 450, released: 550 };
    expect(await chargeOf(user, generation)).toEqual(receipt);
    expect(await chargeOf('usr_stranger', generation)).toBeNull();
  });

  test('every step may be repeated', async () => {
    const user = fresh('usr');
    const generation = fresh('gen');
    await holdFor(user, 100, generation);
    await holdFor(user, 100, generation);
    expect(await quotaOf(user)).toMatchObject({ held: 100 });
    await commit(generation, 60);
    await commit(generation, 60);
    await commit(generation, 40); // a worker that lags behind
    await settled(generation);
    await settled(generation);
    await commit(generation, 100);
    expect(await quotaOf(user)).toMatchObject({ used: 60, held: 0 });
    const kinds = await database.db
      .select({ kind: entries.kind, credits: entries.credits })
      .from(entries)
      .where(eq(entries.userId, user))
      .orderBy(entries.id);
    expect(kinds).toEqual([
      { kind: 'HOLD', credits: 100 },
      { kind: 'COMMIT', credits: 60 },
      { kind: 'RELEASE', credits: 40 },
    ]);
  });

  test('nothing committed: RELEASED; never more than was reserved', async () => {
    const user = fresh('usr');
    const [free, dear] = [fresh('gen'), fresh('gen')];
    await holdFor(user, 10, free);
    await settled(free);
    expect(await chargeOf(user, free)).toEqual({ state: 'RELEASED', reserved: 10, committed: 0, released: 10 });
    await holdFor(user, 10, dear);
    expect(await commit(dear, 99)).toEqual({ committed: 10 });
    await settled(dear);
    expect(await chargeOf(user, dear)).toEqual({ state: 'COMMITTED', reserved: 10, committed: 10, released: 0 });
  });

  test('a settled hold can be added to, for a retry of what failed', async () => {
    const user = fresh('usr');
    const generation = fresh('gen');
    await holdFor(user, 100, generation);
    await commit(generation, 60);
    await settled(generation);
    await holdFor(user, 40, generation);
    expect(await quotaOf(user)).toMatchObject({ used: 60, held: 40 });
    await commit(generation, 100);
    await settled(generation);
    expect(await quotaOf(user)).toMatchObject({ used: 100, held: 0 });
    const receipt = { state: 'COMMITTED', reserved: 140, committed: 100, released: 40 };
    expect(await chargeOf(user, generation)).toEqual(receipt);
  });

  test('what is missing is named and nothing changes', async () => {
    const user = fresh('usr');
    await holdFor(user, 9000);
    const refusal = await holdFor(user, 1001);
    expect(refusal).toMatchObject({ ok: false, required: 1001, available: 1000, resetsAt: expect.any(Date) });
    expect(await quotaOf(user)).toMatchObject({ held: 9000 });
    expect(await holdFor(user, 1000)).toEqual({ ok: true });
  });

  test('another user cannot take a generation over', async () => {
    const generation = fresh('gen');
    await holdFor(fresh('usr'), 10, generation);
    await expect(holdFor(fresh('usr'), 10, generation)).rejects.toThrow('another user');
  });

  test.each([0, -1, 1.5, Number.NaN, 3_000_000_000])('%s credits are refused', async (credits) => {
    await expect(holdFor(fresh('usr'), credits)).rejects.toThrow(RangeError);
  });

  test('the tables refuse what the code would never do', async () => {
    const user = fresh('usr');
    await holdFor(user, 10);
    const refused = async (change: Promise<unknown>, constraint: string) =>
      await expect(change).rejects.toMatchObject({ cause: { constraint } });
    const set = (change: object) => database.db.update(accounts).set(change).where(eq(accounts.userId, user));
    await refused(set({ held: 10_001 }), 'accounts_available');
    await refused(set({ used: -1 }), 'accounts_used');
    await refused(
      database.db.update(holds).set({ released: 11 }).where(eq(holds.userId, user)),
      'holds_within_reserved',
    );
    await expect(database.db.delete(entries)).rejects.toMatchObject({
      cause: { message: 'billing.entries is append-only' },
    });
  });
});

describe('months and grants', () => {
  test('a new month begins with the first touch, and what is held carries over', async () => {
    const user = fresh('usr');
    const [done, running] = [fresh('gen'), fresh('gen')];
    await holdFor(user, 6000, done);
    await commit(done, 6000);
    await settled(done);
    await holdFor(user, 3000, running);
    await commit(running, 1000);
    await toLastMonth(user);
    const shown = { limit: 10_000, used: 0, held: 2000, available: 8000 };
    expect(await quotaOf(user)).toMatchObject(shown);
    expect(await holdFor(user, 8001)).toMatchObject({ ok: false, available: 8000 });
    expect(await quotaOf(user)).toMatchObject(shown);
    await commit(running, 1500);
    await settled(running);
    expect(await quotaOf(user)).toMatchObject({ used: 500, held: 0, available: 9500 });
    expect(await unbalanced()).toEqual([]);
  });

  test('a commit may be what begins the month', async () => {
    const user = fresh('usr');
    const generation = fresh('gen');
    await holdFor(user, 100, generation);
    await toLastMonth(user);
    await commit(generation, 30);
    expect(await quotaOf(user)).toMatchObject({ used: 30, held: 70 });
    expect(await unbalanced()).toEqual([]);
  });

  test('plan and credits can be granted; credits end with the month, the plan stays', async () => {
    const user = fresh('usr');
    await inTx((tx) => grant(tx, { userId: user, planId: 'plan_basic', credits: 500 }));
    expect(await quotaOf(user)).toMatchObject({ limit: 100_500 });
    await toLastMonth(user);
    expect(await quotaOf(user)).toMatchObject({ limit: 100_000 });
    await holdFor(user, 1);
    expect(await quotaOf(user)).toMatchObject({ limit: 100_000, held: 1 });
    await expect(inTx((tx) => grant(tx, { userId: user, planId: 'plan_gold' }))).rejects.toThrow('plan_gold');
  });

  test('a smaller plan takes nothing back that is used or held', async () => {
    const user = fresh('usr');
    await inTx((tx) => grant(tx, { userId: user, planId: 'plan_basic' }));
    await holdFor(user, 50_000);
    await inTx((tx) => grant(tx, { userId: user, planId: 'plan_free' }));
    expect(await quotaOf(user)).toMatchObject({ limit: 50_000, held: 50_000, available: 0 });
    await toLastMonth(user);
    expect(await quotaOf(user)).toMatchObject({ limit: 50_000, available: 0 });
    expect(await holdFor(user, 1)).toMatchObject({ ok: false, available: 0 });
  });
});

describe('the reaper', () => {
  test('ends what is expired and dead, extends what lives, leaves what is not due', async () => {
    const user = fresh('usr');
    const [dead, alive, young, half] = [fresh('gen'), fresh('gen'), fresh('gen'), fresh('gen')];
    for (const generation of [dead, alive, half]) await holdFor(user, 100, generation, 1);
    await commit(half, 30);
    await holdFor(user, 100, young);
    await database.db
      .update(holds)
      .set({ expiresAt: sql`now() - interval '1 second'` })
      .where(sql`${holds.userId} = ${user} and ${holds.ttlSeconds} = 1`);
    const asked: string[] = [];
    const reap = () =>
      reapExpiredHolds(database.db, async (_tx, ids) => {
        asked.push(...ids);
        return new Set(ids.filter((id) => id === alive));
      });
    const ended = (await Promise.all([reap(), reap()])).flat();
    expect(ended).toHaveLength(2);
    expect(ended).toEqual(expect.arrayContaining([dead, half].map((generationId) => ({ generationId, userId: user }))));
    expect(asked).not.toContain(young);
    expect(await chargeOf(user, dead)).toEqual({ state: 'EXPIRED', reserved: 100, committed: 0, released: 100 });
    expect(await chargeOf(user, half)).toEqual({ state: 'EXPIRED', reserved: 100, committed: 30, released: 70 });
    expect(await chargeOf(user, alive)).toMatchObject({ state: 'HELD' });
    expect(await quotaOf(user)).toMatchObject({ used: 30, held: 200 });
    expect(await commit(dead, 50)).toEqual({ committed: 0 });
    expect(await unbalanced()).toEqual([]);
  });
});

describe('the credits of an API key', () => {
  const keyOf = async (user: string, key: Partial<typeof apiKeys.$inferInsert> = {}) => {
    const id = fresh('key');
    await database.db.insert(users).values({ id: user, issuer: 'test', subject: user }).onConflictDoNothing();
    await database.db.insert(apiKeys).values({ id, userId: user, name: id, secretHash: '', scopes: [], ...key });
    return id;
  };
  const holdWith = (apiKeyId: string, userId: string, credits: number, generationId = fresh('gen')) =>
    inTx((tx) => hold(tx, { userId, generationId, credits, ttlSeconds: 600, apiKeyId }));

  test('are what it may hold and be charged in a month, and come back where they were not needed', async () => {
    const user = fresh('usr');
    const key = await keyOf(user, { monthlyCreditLimit: 100 });
    const first = fresh('gen');
    expect(await holdWith(key, user, 80, first)).toEqual({ ok: true });
    expect(await holdWith(key, user, 80, first), 'it is held').toEqual({ ok: true });
    const { resetsAt } = (await quotaOf(user)) ?? {};
    expect(await holdWith(key, user, 21)).toEqual({ ok: false, of: 'key', required: 21, available: 20, resetsAt });
    expect(await quotaOf(user), 'nothing of that stays').toMatchObject({ held: 80 });
    await commit(first, 30);
    expect(await holdWith(key, user, 21)).toMatchObject({ ok: false, available: 20 });
    await settled(first);
    expect(await holdWith(key, user, 71)).toMatchObject({ ok: false, available: 70 });
    expect(await holdWith(key, user, 70)).toEqual({ ok: true });
    expect(await holdFor(user, 500)).toEqual({ ok: true });
    expect(await unbalanced()).toEqual([]);
  });

  test('are those of the account where it has no limit, and none where its limit is 0', async () => {
    const user = fresh('usr');
    expect(await holdWith(await keyOf(user), user, 9_000)).toEqual({ ok: true });
    expect(await holdWith(await keyOf(user, { monthlyCreditLimit: 50_000 }), user, 2_000)).toMatchObject({
      ok: false,
      of: 'account',
      available: 1_000,
    });
    expect(await holdWith(await keyOf(user, { monthlyCreditLimit: 0 }), user, 1)).toMatchObject({
      ok: false,
      of: 'key',
      available: 0,
    });
  });

  test('are spent by the keys that it has made, and by whoever opens a hold again', async () => {
    const user = fresh('usr');
    const key = await keyOf(user, { monthlyCreditLimit: 100 });
    const child = await keyOf(user, { createdBy: key });
    const generation = fresh('gen');
    await holdFor(user, 40, generation);
    await commit(generation, 40);
    await settled(generation);
    expect(await holdWith(child, user, 10, generation)).toEqual({ ok: true });
    expect(await holdWith(child, user, 51)).toMatchObject({ ok: false, of: 'key', available: 50 });
    expect(await holdWith(key, user, 51)).toMatchObject({ ok: false, of: 'key', available: 50 });
    expect(await holdWith(child, user, 50)).toEqual({ ok: true });
  });

  test('are there again in a new month, but for what is still held', async () => {
    const user = fresh('usr');
    const key = await keyOf(user, { monthlyCreditLimit: 100 });
    const [over, open] = [fresh('gen'), fresh('gen')];
    await holdWith(key, user, 60, over);
    await commit(over, 60);
    await settled(over);
    await holdWith(key, user, 30, open);
    await toLastMonth(user);
    await database.db
      .update(holds)
      .set({ settledAt: sql`settled_at - interval '40 days'` })
      .where(eq(holds.generationId, over));
    expect(await holdWith(key, user, 71)).toMatchObject({ ok: false, of: 'key', available: 70 });
    expect(await holdWith(key, user, 70)).toEqual({ ok: true });
  });
});
