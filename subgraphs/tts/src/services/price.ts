/** Millionths of a credit: whole numbers, so that 30 × 0.1 is 3 and not 3.0000000000000004, which rounds up to 4. */
export function microCredits(creditsPerCharacter: number): number {
  return Math.round(creditsPerCharacter * 1_000_000);
}

/**
 * Credits for so many characters (UTF-16 code units), rounded up once. Of a part that is done it is the running total
 * to commit; it never passes the price of the whole.
 */
export function priceOf(characters: number, microCreditsPerCharacter: number): number {
  return Math.ceil((characters * microCreditsPerCharacter) / 1_000_000);
}
