import { Counter } from 'prom-client';
import type { Registry } from 'prom-client';

export interface CountedOutcomesOptions<O extends string> {
  name: string;
  help: string;
  /** The values of its only label, `outcome`. */
  outcomes: readonly O[];
  registry: Registry;
}

/** A counter for what is counted in every request: numbers, which become prom-client's when they are scraped. */
export function createCountedOutcomes<O extends string>({
  name,
  help,
  outcomes,
  registry,
}: CountedOutcomesOptions<O>): (outcome: O) => void {
  const counts = new Map<O, number>(outcomes.map((outcome) => [outcome, 0]));
  const counter = new Counter({
    name,
    help,
    labelNames: ['outcome'] as const,
    registers: [],
    collect() {
      this.reset();
      for (const [outcome, count] of counts) if (count > 0) this.inc({ outcome }, count);
    },
  });
  registry.registerMetric(counter);
  return (outcome) => void counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
}
