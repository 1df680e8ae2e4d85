import { describe, expect, test } from 'vitest';
import { microCredits, priceOf } from './price.ts';

describe('priceOf', () => {
  test('rounds up once, over all characters', () => {
    expect(priceOf(1, microCredits(0.5))).toBe(1);
    expect(priceOf(5000, microCredits(0.5))).toBe(2500);
    expect(priceOf(5001, microCredits(0.5))).toBe(2501);
  });

  test('is exact for rates that binary fractions cannot hold', () => {
    expect(priceOf(30, microCredits(0.1))).toBe(3);
    expect(priceOf(100, microCredits(0.29))).toBe(29);
    expect(priceOf(200_000, microCredits(0.3))).toBe(60_000);
  });

  test('running totals end at the price and never fall', () => {
    const rate = microCredits(0.37);
    let last = 0;
    for (let done = 0; done <= 1013; done += 1) {
      const total = priceOf(done, rate);
      expect(total).toBeGreaterThanOrEqual(last);
      last = total;
    }
    expect(last).toBe(priceOf(1013, rate));
  });
});
