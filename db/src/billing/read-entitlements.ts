import { eq, sql } from 'drizzle-orm';
import type { DbOrTx } from '../client.ts';
import { preparedRead } from '../prepared.ts';
import { findPlan, FREE_PLAN, type Plan } from './plans.ts';
import { accounts } from './tables.ts';

const planOf = preparedRead('billing_plan', (db) =>
  db
    .select({ planId: accounts.planId })
    .from(accounts)
    .where(eq(accounts.userId, sql.placeholder('userId'))),
);

/** What a user may do: their plan, FREE for somebody billing has never seen. */
export async function readEntitlements(db: DbOrTx, userId: string): Promise<{ plan: Plan }> {
  const [row] = await planOf(db, { userId });
  return { plan: (row && findPlan(row.planId)) ?? FREE_PLAN };
}
