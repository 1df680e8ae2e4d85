const known = new Map<string, (uniform: number) => number>();

/**
 * Of `count` things, the one at rank 0, 1, 2 … in proportion to 1 / (rank + 1)^exponent, by a number that is uniform in [0, 1).
 */
export function zipf(count: number, exponent: number): (uniform: number) => number {
  const key = `${count} ${exponent}`;
  const found = known.get(key);
  if (found) return found;
  const sums = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) {
    sum += 1 / (rank + 1) ** exponent;
    sums[rank] = sum;
  }
  const rankOf = (uniform: number): number => {
    const wanted = uniform * sum;
    let low = 0;
    for (let high = count - 1; low < high;) {
      const middle = (low + high) >> 1;
      if ((sums[middle] ?? 0) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  known.set(key, rankOf);
  return rankOf;
}
