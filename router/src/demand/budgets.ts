import type { BucketSize as Allowance } from '@timbre/platform/limiter/shared-buckets';

export type { Allowance };

/** Where points were taken from: what is left of them goes back there. */
export interface BudgetSource {
  /** Points that were not needed; below zero: more that were. @returns what is there now */
  give(key: string, allowance: Allowance, points: number): number;
}

export interface Taken {
  /** Where it is false, nothing was taken. */
  granted: boolean;
  /** What is there now; below zero where more was needed than had been taken. */
  available: number;
  source: BudgetSource;
}

/** The buckets of all callers. */
export interface Budgets {
  /** Takes points all at once, or none. No points are granted always. */
  take(key: string, allowance: Allowance, points: number): Taken | Promise<Taken>;
  /** What is there, as far as this process knows without asking; the whole bucket where it knows nothing. */
  known(key: string, allowance: Allowance): number;
  close(): Promise<void>;
}

/** Nobody owes more than a whole bucket, whatever an operation has cost. */
export function within(points: number, { limit }: Allowance): number {
  return Math.min(Math.max(points, -limit), limit);
}

/** Until a bucket holds so many points, in milliseconds; null: never. */
export function waitFor(points: number, available: number, { limit, restoreRate }: Allowance): number | null {
  return points > limit ? null : Math.max(0, Math.ceil(((points - available) / restoreRate) * 1000));
}
