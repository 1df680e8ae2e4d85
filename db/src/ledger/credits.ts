/** Credits are integers that fit PostgreSQL's; anything else is a bug of the caller. */
export function assertCredits(credits: number, least: number): void {
  if (!Number.isInteger(credits) || credits < least || credits > 2_000_000_000) {
    throw new RangeError(`credits must be an integer from ${least} to 2,000,000,000; got ${credits}`);
  }
}
