import type { SharedBuckets } from '@timbre/platform/limiter/shared-buckets';
import { LRUCache } from 'lru-cache';
import { within } from './budgets.ts';
import type { Allowance, Budgets, BudgetSource, Taken } from './budgets.ts';
import { createMemoryBudgets } from './memory-budgets.ts';

export interface SharedBudgetsOptions {
  buckets: SharedBuckets;
  /** How long they may take to answer; default 50 ms. */
  deadlineMs?: number;
  /** How long points are kept here that nobody uses; default 2 s. */
  idleMs?: number;
}

/** Points of a bucket that are here, taken from it before somebody needs them. */
interface Lease {
  allowance: Allowance;
  /** Below zero: owed. */
  points: number;
  /** What was in the bucket when it was asked last, and when that was. */
  left: number;
  leftAt: number;
  usedAt: number;
}

const DEADLINE_MS = 50;
const IDLE_MS = 2_000;
/** Shared buckets that did not answer are not asked for so long. */
const PAUSE_MS = 1_000;
/** Of a bucket, as long as it is half full, so that not every operation has to ask. */
const LEASED_SHARE = 0.1;
const MAX_LEASES = 100_000;

/**
 * Buckets that several routers share. A router asks for a tenth of a bucket at once, and pays from that; what nobody has used
 * for two seconds goes back. So no caller can spend more at once than a whole bucket and, for each router, the two tenths that it
 * may hold; over time no more than comes back. When less than half is left, only what is needed is taken.
 *
 * Where they are away or slow each router counts for itself, every bucket full at first, and nothing waits for them for a
 * second: budgets are looser then, and no operation fails or waits longer than the deadline.
 */
export function createSharedBudgets(options: SharedBudgetsOptions): Budgets {
  const { buckets, deadlineMs = DEADLINE_MS, idleMs = IDLE_MS } = options;
  const alone = createMemoryBudgets();
  const returning = new Set<Promise<void>>();
  let askAgainAt = 0;

  const leases = new LRUCache<string, Lease>({
    max: MAX_LEASES,
    dispose: (lease, key) => putBack(key, lease.allowance, lease.points),
  });

  function putBack(key: string, allowance: Allowance, points: number): void {
    if (points === 0 || !buckets.ready()) return;
    // What cannot be given back comes back by itself, in time.
    const giving = buckets
      .give(key, allowance, points)
      .catch(() => undefined)
      .finally(() => returning.delete(giving));
    returning.add(giving);
  }

  const sweep = setInterval(() => {
    const before = performance.now() - idleMs;
    for (const [key, lease] of leases.entries()) if (lease.usedAt <= before) leases.delete(key);
  }, idleMs / 2).unref();

  function leaseOf(key: string, allowance: Allowance, left: number): Lease {
    const now = performance.now();
    let lease = leases.get(key);
    if (lease === undefined) {
      lease = { allowance, points: 0, left, leftAt: now, usedAt: now };
      leases.set(key, lease);
    }
    lease.allowance = allowance;
    lease.usedAt = now;
    return lease;
  }

  /** As far as it is known here. */
  function availableOf({ allowance, points, left, leftAt }: Lease): number {
    const restored = ((performance.now() - leftAt) * allowance.restoreRate) / 1000;
    return within(within(left + restored, allowance) + points, allowance);
  }

  const isAlone = () => !buckets.ready() || performance.now() < askAgainAt;

  const source: BudgetSource = {
    give(key, allowance, points) {
      const lease = leaseOf(key, allowance, allowance.limit);
      lease.points += points;
      const share = shareOf(allowance);
      if (lease.points > 2 * share) {
        const excess = lease.points - share;
        lease.points = share;
        lease.left = within(lease.left + excess, allowance);
        putBack(key, allowance, excess);
      }
      return availableOf(lease);
    },
  };

  async function ask(key: string, lease: Lease, points: number): Promise<Taken> {
    const { allowance } = lease;
    // What is here is spent first, and what is owed here is asked for, too.
    const here = Math.min(lease.points, points);
    lease.points -= here;
    const asked = buckets.take(key, allowance, { needed: points - here, onTop: shareOf(allowance) });
    const answer = await beforeDeadline(asked, deadlineMs);
    const current = leaseOf(key, allowance, lease.left);
    if (answer === null) {
      askAgainAt = performance.now() + PAUSE_MS;
      current.points += here;
      // Points that come too late are not lost.
      asked.then(
        ({ granted }) => granted > 0 && source.give(key, allowance, granted),
        () => undefined,
      );
      return alone.take(key, allowance, points);
    }
    current.left = answer.available;
    current.leftAt = performance.now();
    if (answer.granted === 0 && points > here) {
      current.points += here;
      // What others were granted on top meanwhile.
      const granted = current.points >= points;
      if (granted) current.points -= points;
      return { granted, available: availableOf(current), source };
    }
    current.points += answer.granted - (points - here);
    return { granted: true, available: availableOf(current), source };
  }

  return {
    take(key, allowance, points) {
      if (points === 0 && !leases.has(key)) return { granted: true, available: allowance.limit, source };
      const lease = leaseOf(key, allowance, allowance.limit);
      if (points === 0 || lease.points >= points) {
        lease.points -= points;
        return { granted: true, available: availableOf(lease), source };
      }
      if (isAlone()) return alone.take(key, allowance, points);
      return ask(key, lease, points);
    },
    known(key, allowance) {
      // Not used by being looked at: who is refused for two seconds is asked about anew.
      const lease = leases.peek(key);
      if (lease !== undefined && lease.points > 0) return lease.points;
      if (isAlone()) return alone.known(key, allowance);
      return lease === undefined ? allowance.limit : availableOf(lease);
    },
    async close() {
      clearInterval(sweep);
      leases.clear();
      await beforeDeadline(Promise.all(returning), PAUSE_MS);
      await alone.close();
    },
  };
}

function shareOf({ limit }: Allowance): number {
  return Math.floor(limit * LEASED_SHARE);
}

/** Null where there is none in time, or none at all. */
async function beforeDeadline<T>(answer: Promise<T>, milliseconds: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    // An answer that has arrived while this process was busy is read before.
    timer = setTimeout(() => setImmediate(resolve, null), milliseconds);
  });
  try {
    return await Promise.race([answer, late]);
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}
