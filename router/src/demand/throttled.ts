import { refusal } from '../operations/refusal.ts';
import type { OperationRefused } from '../operations/refusal.ts';
import { budgetHeaders, secondsOf } from './budget-headers.ts';
import { waitFor } from './budgets.ts';
import type { Allowance } from './budgets.ts';

export interface ThrottledDetails {
  cost: number;
  available: number;
  limit: number;
  restoreRate: number;
  /** Null where waiting does not help. */
  retryAfterMs: number | null;
}

/** Why a bucket does not pay, and when it will. */
export function throttledMessage(
  cost: number,
  available: number,
  allowance: Allowance,
): { message: string; details: ThrottledDetails } {
  const { limit, restoreRate } = allowance;
  const retryAfterMs = waitFor(cost, available, allowance);
  const left = Math.floor(available);
  return {
    message:
      retryAfterMs === null
        ? `It needs ${cost} points, and the budget never holds more than ${limit}: ask for less.`
        : `It needs ${cost} ${cost === 1 ? 'point' : 'points'} and ${left} are left: try again in ${secondsOf(retryAfterMs)} s.`,
    details: { cost, available: left, limit, restoreRate, retryAfterMs },
  };
}

/** 429, with `Retry-After` where waiting helps. */
export function throttled(cost: number, available: number, allowance: Allowance, tell: boolean): OperationRefused {
  const { message, details } = throttledMessage(cost, available, allowance);
  const { retryAfterMs, cost: estimated, ...budget } = details;
  const headers = {
    ...budgetHeaders(allowance, available, retryAfterMs),
    ...(retryAfterMs === null ? {} : { 'retry-after': String(secondsOf(retryAfterMs)) }),
  };
  return refusal(
    'THROTTLED',
    message,
    { details },
    { status: 429, headers, ...(tell && { extensions: { cost: { estimated, budget } } }) },
  );
}
