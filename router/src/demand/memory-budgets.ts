import { LRUCache } from 'lru-cache';
import { within } from './budgets.ts';
import type { Allowance, Budgets, BudgetSource } from './budgets.ts';

interface Bucket {
  available: number;
  /** When that was so, in milliseconds. */
  at: number;
}

export interface MemoryBudgetsOptions {
  /** Buckets at once; who has not asked for longest is forgotten, and begins anew. Default 100,000. */
  max?: number;
  /** Milliseconds; default a clock that goes on whatever is done to the wall's. */
  now?: () => number;
}

const MAX_BUCKETS = 100_000;

/** Buckets in this process. They fill when they are looked at. */
export function createMemoryBudgets(options: MemoryBudgetsOptions = {}): Budgets & BudgetSource {
  const { max = MAX_BUCKETS, now = () => performance.now() } = options;
  const buckets = new LRUCache<string, Bucket>({ max });

  function bucketOf(key: string, allowance: Allowance): Bucket {
    const at = now();
    const known = buckets.get(key);
    if (known === undefined) {
      const bucket = { available: allowance.limit, at };
      buckets.set(key, bucket);
      return bucket;
    }
    // A clock that has gone back restores nothing until it goes on.
    const restored = (Math.max(0, at - known.at) * allowance.restoreRate) / 1000;
    known.available = within(known.available + restored, allowance);
    known.at = at;
    return known;
  }

  const budgets: Budgets & BudgetSource = {
    known: (key, allowance) => (buckets.has(key) ? bucketOf(key, allowance).available : allowance.limit),
    take(key, allowance, points) {
      const bucket = bucketOf(key, allowance);
      const granted = points === 0 || bucket.available >= points;
      if (granted) bucket.available -= points;
      return { granted, available: bucket.available, source: budgets };
    },
    give(key, allowance, points) {
      const bucket = bucketOf(key, allowance);
      bucket.available = within(bucket.available + points, allowance);
      return bucket.available;
    },
    async close() {
      buckets.clear();
    },
  };
  return budgets;
}
