import type { LoadResult } from './load.ts';

const ERROR = 0.03;
const LEAST_GROWTH = 1.06;
const MOST_GROWTH = 3;
/** By then the error is small enough, if not as small as it could be. */
const MOST_TRIALS = 8;

/** What a rate must hold: everything answered as it should be, and quickly. */
export const MAX_P99_MS = 1_000;

export function holds({ failed, p99Ms }: LoadResult): boolean {
  return failed === 0 && p99Ms < MAX_P99_MS;
}

export interface Trial {
  holds: boolean;
  /** The rate for which there would be room by what a request has cost here; nearer the truth the nearer it is to the rate tried. */
  roomFor: number;
}

/** The highest rate at which `attempt` holds, to about three in a hundred; 0 where not even a tenth of the first does. */
export async function findRate(first: number, attempt: (perSecond: number) => Promise<Trial>): Promise<number> {
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  let rate = first;
  for (let trial = 0; trial < MOST_TRIALS; trial++) {
    const tried = await attempt(rate);
    if (tried.holds) low = rate;
    else high = rate;
    if (high / low <= 1 + ERROR || (low === 0 && rate < first / 10)) break;
    rate = nextRate(low, high, tried.roomFor);
    if (rate === low || rate === high) break;
  }
  return low;
}

function nextRate(low: number, high: number, roomFor: number): number {
  if (high === Number.POSITIVE_INFINITY) return Math.round(within(low * LEAST_GROWTH, roomFor, low * MOST_GROWTH));
  if (low === 0) return Math.round(within(high / MOST_GROWTH, roomFor, high / LEAST_GROWTH));
  const middle = Math.sqrt(low * high);
  return Math.round(roomFor > low * (1 + ERROR) && roomFor < high / (1 + ERROR) ? roomFor : middle);
}

const within = (least: number, value: number, most: number): number => Math.min(Math.max(least, value), most);
