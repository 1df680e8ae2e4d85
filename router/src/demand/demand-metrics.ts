import { createCountedHistogram } from '@timbre/platform/counted-histogram';
import { createCountedOutcomes } from '@timbre/platform/counted-outcomes';
import type { Registry } from 'prom-client';
import { isAuthenticated } from '../auth/principal.ts';
import type { Principal } from '../auth/principal.ts';

/** What became of an operation; where costs are only measured, what would have become of it. */
export type DemandOutcome = 'ok' | 'too_expensive' | 'throttled';

/** Counts the costs of one plan's principals. */
interface PlanMeters {
  estimated: (points: number) => void;
  actual: (points: number) => void;
}

export interface DemandMeters {
  /** Plans that are counted apart; all other principals with a token are `other`. */
  know(plans: readonly string[]): void;
  of(principal: Principal): PlanMeters;
  outcome(outcome: DemandOutcome): void;
}

const BUCKETS = [0, 1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000];

export function createDemandMeters(registry: Registry): DemandMeters {
  const estimated = createCountedHistogram({
    name: 'timbre_router_cost_estimated_points',
    help: 'What operations could cost at most, by plan.',
    labelNames: ['plan'],
    buckets: BUCKETS,
    registry,
  });
  const actual = createCountedHistogram({
    name: 'timbre_router_cost_actual_points',
    help: 'What operations and events have cost, by plan.',
    labelNames: ['plan'],
    buckets: BUCKETS,
    registry,
  });
  const outcome = createCountedOutcomes<DemandOutcome>({
    name: 'timbre_router_cost_outcomes_total',
    help: 'Operations by what their cost led to, or would have led to where it is only measured.',
    outcomes: ['ok', 'too_expensive', 'throttled'],
    registry,
  });
  const metersOf = (plan: string): PlanMeters => {
    const [one, other] = [estimated.with(plan), actual.with(plan)];
    return { estimated: (points) => one.observe(points), actual: (points) => other.observe(points) };
  };
  let known: ReadonlyMap<string, PlanMeters> = new Map();
  const anonymous = metersOf('anonymous');
  const others = metersOf('other');
  return {
    know(plans) {
      known = new Map(plans.map((plan) => [plan, metersOf(plan)]));
    },
    of(principal) {
      if (!isAuthenticated(principal)) return anonymous;
      return principal.plan === null ? others : (known.get(principal.plan) ?? others);
    },
    outcome,
  };
}
