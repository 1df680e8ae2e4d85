import type { LoadResult } from './load.ts';

const ERROR = 0.03;
const GROWTH = 1.5;

/** What a rate must hold: everything answered as it should be, and quickly. */
export const MAX_P99_MS = 1_000;

export function holds({ failed, p99Ms }: LoadResult): boolean {
  return failed === 0 && p99Ms < MAX_P99_MS;
}

/** The highest rate at which `attempt` holds, to three in a hundred; 0 where not even the first does. */
export async function findRate(first: number, attempt: (perSecond: number) => Promise<LoadResult>): Promise<number> {
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  for (let rate = first; high / low > 1 + ERROR;) {
    if (holds(await attempt(rate))) low = rate;
    else high = rate;
    if (low === 0 && rate < first / 10) return 0;
    rate = Math.round(high === Number.POSITIVE_INFINITY ? low * GROWTH : low === 0 ? rate / 2 : Math.sqrt(low * high));
    if (rate === low || rate === high) break;
  }
  return low;
}
