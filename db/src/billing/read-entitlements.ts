import type { DbOrTx } from '../client.ts';
import { inPlaceholder, preparedRead } from '../prepared.ts';
import { findPlan, FREE_PLAN, type Plan } from './plans.ts';
import { accounts } from './tables.ts';

/** What a user may do: their plan, FREE for somebody billing has never seen. */
export async function readEntitlements(db: DbOrTx, userId: string): Promise<{ plan: Plan }> {
  const [plan = FREE_PLAN] = await readPlans(db, [userId]);
  return { plan };
}

const plansOf = preparedRead('billing_plans', (db) =>
  db
    .select({ userId: accounts.userId, planId: accounts.planId })
    .from(accounts)
    .where(inPlaceholder(accounts.userId, 'userIds')),
);

/** The users' plans, in the order of the ids. */
export async function readPlans(db: DbOrTx, userIds: readonly string[]): Promise<Plan[]> {
  const rows = await plansOf(db, { userIds });
  const byUser = new Map(rows.map((row) => [row.userId, findPlan(row.planId) ?? FREE_PLAN]));
  return userIds.map((id) => byUser.get(id) ?? FREE_PLAN);
}
