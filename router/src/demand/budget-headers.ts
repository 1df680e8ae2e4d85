import type { Allowance } from './budgets.ts';

/** The name of the policy, and the unit that it counts. */
const POLICY = '"cost"';
const UNIT = '"points"';

const policies = new WeakMap<Allowance, string>();

/**
 * `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11): the bucket and the seconds in which an empty
 * one is full again; what is in it, and where that is not all, the seconds until there is more.
 *
 * @param waitMs until as much is there as was asked for, where something was refused
 */
export function budgetHeaders(allowance: Allowance, available: number, waitMs: number | null): Record<string, string> {
  const remaining = Math.max(0, Math.floor(available));
  const seconds = waitMs === null ? 1 : secondsOf(waitMs);
  return {
    'ratelimit-policy': policyOf(allowance),
    ratelimit: `${POLICY};r=${remaining}${remaining >= allowance.limit ? '' : `;t=${seconds}`}`,
  };
}

export function secondsOf(milliseconds: number): number {
  return Math.max(1, Math.ceil(milliseconds / 1000));
}

function policyOf(allowance: Allowance): string {
  let policy = policies.get(allowance);
  if (policy === undefined) {
    const { limit, restoreRate } = allowance;
    policy = `${POLICY};q=${limit};w=${secondsOf((limit / restoreRate) * 1000)};qu=${UNIT}`;
    policies.set(allowance, policy);
  }
  return policy;
}
