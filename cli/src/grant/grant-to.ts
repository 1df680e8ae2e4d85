import { findPlan, PLANS, type Plan } from '@timbre/db/billing/plans';
import { readEntitlements } from '@timbre/db/billing/read-entitlements';
import type { Db } from '@timbre/db/client';
import { grant, type QuotaRow, readQuotas } from '@timbre/db/ledger';
import { users } from '@timbre/db/users/tables';
import { DEV_ISSUER, devSubject } from '@timbre/platform/dev-issuer';
import { resolvePrincipal } from '@timbre/users/services/resolve-principal';
import { sql } from 'drizzle-orm';
import { CommandError } from '../run-command.ts';

export interface GrantRequest {
  email: string;
  /** An id ("plan_basic") or a tier ("basic"); unchanged unless given. */
  plan?: string;
  /** On top, until the current period ends. */
  credits: number;
  /** Whether tokens come from the development issuer, whose subject follows from the address. */
  devIssuer: boolean;
}

interface Standing {
  plan: Plan;
  quota: QuotaRow;
}

export interface GrantOutcome {
  userId: string;
  /** They had never signed in; the row is the one that their first request will find. */
  created: boolean;
  before: Standing;
  after: Standing;
}

/** @throws CommandError for an unknown plan, and where the address is nobody's or several users' */
export async function grantTo(db: Db, request: GrantRequest): Promise<GrantOutcome> {
  const plan = request.plan === undefined ? null : planNamed(request.plan);
  const { userId, created } = await userOf(db, request);
  const before = await standing(db, userId);
  const change = { userId, credits: request.credits, ...(plan === null ? {} : { planId: plan.id }) };
  await db.transaction((tx) => grant(tx, change));
  return { userId, created, before, after: await standing(db, userId) };
}

function planNamed(name: string): Plan {
  const plan = findPlan(name) ?? PLANS.find(({ tier }) => tier === name.toUpperCase());
  if (plan !== undefined) return plan;
  const rows = PLANS.map(
    ({ id, tier, monthlyCredits }) =>
      `  ${tier.toLowerCase().padEnd(12)} ${id.padEnd(16)} ${monthlyCredits.toLocaleString('en')} credits a month`,
  );
  throw new CommandError(`There is no plan ${name}. The plans are:\n${rows.join('\n')}`, 2);
}

async function userOf(db: Db, { email, devIssuer }: GrantRequest): Promise<{ userId: string; created: boolean }> {
  const found = await db
    .select({ id: users.id, issuer: users.issuer, subject: users.subject })
    .from(users)
    .where(sql`lower(${users.email}) = ${email.toLowerCase()}`);
  const ofDevIssuer = found.find(({ issuer, subject }) => issuer === DEV_ISSUER && subject === devSubject(email));
  if (devIssuer && ofDevIssuer) return { userId: ofDevIssuer.id, created: false };
  const [only, another] = found;
  if (another !== undefined) {
    const rows = found.map(({ id, issuer, subject }) => `  ${id}  ${issuer}  ${subject}`);
    throw new CommandError(`${email} is the address of several users:\n${rows.join('\n')}`);
  }
  if (only !== undefined) return { userId: only.id, created: false };
  if (!devIssuer) {
    throw new CommandError(`Nobody with the address ${email} has signed in yet; only AUTH_ISSUER knows who they are.`);
  }
  const { userId } = await resolvePrincipal(db, { iss: DEV_ISSUER, sub: devSubject(email), email });
  return { userId, created: true };
}

async function standing(db: Db, userId: string): Promise<Standing> {
  const { plan } = await readEntitlements(db, userId);
  const [quota] = await readQuotas(db, [userId]);
  if (quota === undefined) throw new Error(`no quota of ${userId}`);
  return { plan, quota };
}
