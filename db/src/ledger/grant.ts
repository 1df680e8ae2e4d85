import { eq, sql } from 'drizzle-orm';
import { findPlan } from '../billing/plans.ts';
import { accounts, entries } from '../billing/tables.ts';
import type { Tx } from '../client.ts';
import { lockAccount, planCredits } from './account.ts';
import { assertCredits } from './credits.ts';

export interface Grant {
  userId: string;
  /** The plan from now on; unchanged unless given. */
  planId?: string;
  /** On top of the plan, until the current period ends. */
  credits?: number;
}

/**
 * Puts a user on a plan and/or gives credits. A smaller plan takes nothing away that was used or is held in this
 * period: the limit is then that much until the period ends. Throws on an unknown plan.
 */
export async function grant(tx: Tx, { userId, planId, credits = 0 }: Grant): Promise<void> {
  assertCredits(credits, 0);
  if (planId !== undefined && findPlan(planId) === null) throw new RangeError(`there is no plan ${planId}`);
  const account = await lockAccount(tx, userId);
  const plan = planId ?? account.planId;
  const bonus = account.bonus + credits;
  await tx
    .update(accounts)
    .set({
      planId: plan,
      bonus,
      creditLimit: Math.max(planCredits(plan) + bonus, account.used + account.held),
      updatedAt: sql`now()`,
    })
    .where(eq(accounts.userId, userId));
  await tx.insert(entries).values({ userId, kind: 'GRANT', credits, periodStart: account.periodStart });
}
