/** Seconds that espeak-ng takes for one and the same text at a rate (words per minute), measured; only their ratios matter. */
const DURATIONS: readonly (readonly [rate: number, seconds: number])[] = [
  [80, 47.14],
  [100, 39.42],
  [120, 32.43],
  [140, 27.26],
  [160, 23.75],
  [175, 21.45],
  [200, 18.57],
  [250, 14.71],
  [300, 11.89],
  [350, 9.98],
  [400, 8.68],
  [450, 7.92],
];
const [SLOWEST, LONGEST] = DURATIONS[0] ?? [80, 1];
const [FASTEST, SHORTEST] = DURATIONS.at(-1) ?? [450, 1];

function durationAt(rate: number): number {
  if (rate <= SLOWEST) return (LONGEST * SLOWEST) / rate;
  if (rate >= FASTEST) return (SHORTEST * FASTEST) / rate;
  const above = DURATIONS.findIndex(([known]) => known > rate);
  const [lowRate, low] = DURATIONS[above - 1] ?? [SLOWEST, LONGEST];
  const [highRate, high] = DURATIONS[above] ?? [FASTEST, SHORTEST];
  return low + ((high - low) * (rate - lowRate)) / (highRate - lowRate);
}

/**
 * The rate at which espeak takes `factor` times as long as at `rate`, and how much longer its sound must still be made where
 * espeak's own range (80–450) does not reach that far.
 */
export function espeakRate(rate: number, factor: number): { rate: number; stretch: number } {
  const wished = durationAt(rate) * factor;
  if (wished >= LONGEST) return { rate: SLOWEST, stretch: wished / LONGEST };
  if (wished <= SHORTEST) return { rate: FASTEST, stretch: wished / SHORTEST };
  const below = DURATIONS.findIndex(([, seconds]) => seconds < wished);
  const [lowRate, long] = DURATIONS[below - 1] ?? [SLOWEST, LONGEST];
  const [highRate, short] = DURATIONS[below] ?? [FASTEST, SHORTEST];
  return { rate: Math.round(lowRate + ((highRate - lowRate) * (long - wished)) / (long - short)), stretch: 1 };
}
