import { Histogram } from 'prom-client';
import type { Registry } from 'prom-client';

export interface CountedHistogramOptions<L extends readonly string[]> {
  name: string;
  help: string;
  /** At most three. */
  labelNames: L;
  /** Upper bounds, ascending. */
  buckets: readonly number[];
  registry: Registry;
}

/** What has the same labels. */
export interface Series {
  observe(value: number): void;
}

/** A value for each of the labels, in their order. They must come from a small fixed set: every series stays. */
type ValuesOf<L extends readonly string[]> = { [K in keyof L]: string };

export interface CountedHistogram<L extends readonly string[]> {
  with(...values: ValuesOf<L>): Series;
}

/**
 * A histogram for what is observed several times in every request. prom-client's own looks for the series by a text that
 * it makes of the labels, and for the bucket by another; here both are indexes, and labels become text when they are
 * scraped. What is exposed is the same.
 */
export function createCountedHistogram<const L extends readonly string[]>(
  options: CountedHistogramOptions<L>,
): CountedHistogram<L> {
  const { labelNames, buckets, registry, ...named } = options;
  const all: CountedSeries[] = [];
  const root = new Branch();
  registry.registerMetric(new ExposedHistogram({ ...named, labelNames, buckets: [...buckets], registers: [] }, all));
  return {
    with(...values) {
      let branch = root;
      for (let index = 0; index < values.length; index += 1) branch = branch.at(values[index] ?? '');
      if (branch.series === null) {
        const labels = Object.fromEntries(labelNames.map((name, index) => [name, values[index] ?? '']));
        branch.series = new CountedSeries(labels, buckets);
        all.push(branch.series);
      }
      return branch.series;
    },
  };
}

class Branch {
  readonly #branches = new Map<string, Branch>();
  series: CountedSeries | null = null;

  at(value: string): Branch {
    let branch = this.#branches.get(value);
    if (branch === undefined) {
      branch = new Branch();
      this.#branches.set(value, branch);
    }
    return branch;
  }
}

class CountedSeries implements Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly #buckets: readonly number[];
  /** Of each bucket, and of what is above all. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(labels: Readonly<Record<string, string>>, buckets: readonly number[]) {
    this.labels = labels;
    this.#buckets = buckets;
    this.#counts = new Float64Array(buckets.length + 1);
  }

  /** @throws TypeError for what is no number */
  observe(value: number): void {
    if (!Number.isFinite(value)) throw new TypeError(`${value} cannot be observed.`);
    const buckets = this.#buckets;
    let index = 0;
    while (index < buckets.length && value > (buckets[index] ?? Infinity)) index += 1;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#sum += value;
  }

  /** As prom-client exposes it: nothing of what was never observed. */
  values(name: string): ExposedValue[] {
    let count = 0;
    const values: ExposedValue[] = [];
    for (const [index, ofBucket] of this.#counts.entries()) {
      count += ofBucket;
      const labels = { le: this.#buckets[index] ?? '+Inf' };
      values.push({ metricName: `${name}_bucket`, labels, sharedLabels: this.labels, value: count });
    }
    if (count === 0) return [];
    for (const [metricName, value] of [
      [`${name}_sum`, this.#sum],
      [`${name}_count`, count],
    ] as const) {
      values.push({ metricName, labels: {}, sharedLabels: this.labels, value });
    }
    return values;
  }
}

interface ExposedValue {
  metricName: string;
  labels: Record<string, string | number>;
  sharedLabels: Readonly<Record<string, string>>;
  value: number;
}

/** Put in the place of the one whose name, help and buckets it has. */
class ExposedHistogram extends Histogram {
  readonly #named: { name: string; help: string };
  readonly #series: readonly CountedSeries[];

  constructor(options: ConstructorParameters<typeof Histogram>[0], series: readonly CountedSeries[]) {
    super(options);
    this.#named = { name: options.name, help: options.help };
    this.#series = series;
  }

  /** What a registry asks for, and `get`. */
  async getForPromString() {
    const { name, help } = this.#named;
    const values = this.#series.flatMap((series) => series.values(name));
    return { name, help, type: 'histogram', values, aggregator: 'sum' };
  }
}
