/** How many calls may be repeated. */
export interface RetryBudget {
  /** A call is made for the first time. */
  earn(): void;
  /** Whether one more may be repeated. */
  spend(): boolean;
}

const RESERVE = 10;

/**
 * Retries are at most `share` of the calls plus a small reserve, however many fail: an outage is met with
 * little more traffic than usual, and a lost connection now and then is made good.
 */
export function createRetryBudget(share: number): RetryBudget {
  let balance = RESERVE;
  return {
    earn() {
      balance = Math.min(RESERVE, balance + share);
    },
    spend() {
      if (balance < 1) return false;
      balance -= 1;
      return true;
    },
  };
}
