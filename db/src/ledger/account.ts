import { eq, sql } from 'drizzle-orm';
import { findPlan, FREE_PLAN, type Plan } from '../billing/plans.ts';
import { accounts, entries } from '../billing/tables.ts';
import type { DbOrTx, Tx } from '../client.ts';
import { preparedRead } from '../prepared.ts';

export type AccountRow = typeof accounts.$inferSelect;

/** Credits of the current period: available = limit - used - held. */
export interface QuotaRow {
  userId: string;
  limit: number;
  used: number;
  held: number;
  available: number;
  resetsAt: Date;
}

// A period is a calendar month in UTC, whatever the session's time zone: months are added to a timestamp without one.
const monthStart = sql`date_trunc('month', now() at time zone 'UTC')`;
const periodStart = sql<Date>`(${monthStart} at time zone 'UTC')`;
const periodEnd = sql<Date>`((${monthStart} + interval '1 month') at time zone 'UTC')`;

export const planCredits = (planId: string): number => (findPlan(planId) ?? FREE_PLAN).monthlyCredits;

/**
 * Locks the user's account for the rest of the transaction and brings it to the current period; makes it, on the Free
 * plan, where there is none. Every change to a ledger begins here: whoever holds the account's lock may then take
 * those of its holds, so the order of locks is the same everywhere.
 */
export async function lockAccount(tx: Tx, userId: string): Promise<AccountRow> {
  for (;;) {
    const [account] = await tx.select().from(accounts).where(eq(accounts.userId, userId)).for('update');
    if (account === undefined) {
      await createAccount(tx, userId);
      continue;
    }
    return (await rollOver(tx, account)) ?? account;
  }
}

/** True when it was missing. */
export async function createAccount(tx: Tx, userId: string): Promise<boolean> {
  const made = await tx
    .insert(accounts)
    .values({ userId, planId: FREE_PLAN.id, periodStart, periodEnd, creditLimit: FREE_PLAN.monthlyCredits })
    .onConflictDoNothing()
    .returning({ userId: accounts.userId });
  return made.length > 0;
}

/**
 * A new month begins: nothing is used, the plan's credits are there again, grants are over. What running generations
 * hold carries over, and where that is more than the new limit, the limit is that.
 */
async function rollOver(tx: Tx, { userId, planId }: AccountRow): Promise<AccountRow | null> {
  const [rolled] = await tx
    .update(accounts)
    .set({
      periodStart,
      periodEnd,
      used: 0,
      bonus: 0,
      creditLimit: sql`greatest(${planCredits(planId)}, ${accounts.held})`,
      updatedAt: sql`now()`,
    })
    .where(sql`${accounts.userId} = ${userId} and ${accounts.periodEnd} <= now()`)
    .returning();
  if (rolled === undefined) return null;
  await tx.insert(entries).values({ userId, kind: 'ROLLOVER', credits: rolled.held, periodStart: rolled.periodStart });
  return rolled;
}

const accountsOf = preparedRead('ledger_accounts', (db, among) =>
  db
    .select({
      userId: accounts.userId,
      planId: accounts.planId,
      over: sql<boolean>`${accounts.periodEnd} <= now()`,
      creditLimit: accounts.creditLimit,
      used: accounts.used,
      held: accounts.held,
      resetsAt: accounts.periodEnd,
    })
    .from(accounts)
    .where(among(accounts.userId, 'userIds')),
);

/** As `lockAccount` would leave it, without a lock: what to show. In the order of the ids. */
export async function readQuotas(db: DbOrTx, userIds: readonly string[]): Promise<QuotaRow[]> {
  const views = await readAccounts(db, userIds);
  return views.map(({ quota }) => quota);
}

export interface AccountView {
  plan: Plan;
  quota: QuotaRow;
}

/** The quotas of {@link readQuotas} with the plans, FREE for who has no account. */
export async function readAccounts(db: DbOrTx, userIds: readonly string[]): Promise<AccountView[]> {
  const wanted = [...new Set(userIds)];
  if (wanted.length === 0) return [];
  const found = await accountsOf(db, { userIds: wanted });
  const byUser = new Map(found.map((row) => [row.userId, row]));
  const hasOld = found.length < wanted.length || found.some(({ over }) => over);
  const current = hasOld ? await readPeriodEnd(db) : new Date(Number.NaN);
  return userIds.map((userId) => {
    const row = byUser.get(userId);
    if (row === undefined) return { plan: FREE_PLAN, quota: quota(userId, FREE_PLAN.monthlyCredits, 0, 0, current) };
    const plan = findPlan(row.planId) ?? FREE_PLAN;
    if (row.over) {
      return { plan, quota: quota(userId, Math.max(plan.monthlyCredits, row.held), 0, row.held, current) };
    }
    return { plan, quota: quota(userId, row.creditLimit, row.used, row.held, row.resetsAt) };
  });
}

/** Of the period that accounts are in which are not there or not brought up to date yet. */
async function readPeriodEnd(db: DbOrTx): Promise<Date> {
  const {
    rows: [now],
  } = await db.execute<{ ends: number }>(sql`select extract(epoch from ${periodEnd})::float8 as ends`);
  return new Date((now?.ends ?? Number.NaN) * 1000);
}

const quota = (userId: string, limit: number, used: number, held: number, resetsAt: Date): QuotaRow => ({
  userId,
  limit,
  used,
  held,
  available: limit - used - held,
  resetsAt,
});
