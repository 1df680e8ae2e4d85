import type { Registry } from 'prom-client';
import type { Policy } from '../engine.ts';
import type { LoadedSupergraph } from '../supergraph/load-supergraph.ts';
import { budgetKey } from './budget-key.ts';
import { createCosting } from './costing.ts';
import type { Costing } from './costing.ts';
import { createDemandMeters } from './demand-metrics.ts';
import { plansOf } from './demand-options.ts';
import type { DemandOptions } from './demand-options.ts';
import { createDemandPolicy } from './demand-policy.ts';
import { createMemoryBudgets } from './memory-budgets.ts';

/** Demand control of one router, whatever supergraph it runs on. */
export interface Demand {
  policy: Policy;
  costingOf(supergraph: LoadedSupergraph): Costing;
  close(): Promise<void>;
}

export function createDemand(options: DemandOptions, registry: Registry): Demand {
  const { mode, budget, tell } = options;
  const meters = createDemandMeters(registry, plansOf(options));
  const budgets = createMemoryBudgets();
  return {
    policy: createDemandPolicy({ mode, budget, tell, budgets, meters, keyOf: budgetKey }),
    costingOf: (supergraph) => createCosting(supergraph, options, () => meters.outcome('too_expensive')),
    close: () => budgets.close(),
  };
}
