import type { SharedBuckets } from '@timbre/platform/limiter/shared-buckets';
import type { Registry } from 'prom-client';
import type { Policy, Session } from '../engine.ts';
import type { LoadedSupergraph } from '../supergraph/load-supergraph.ts';
import { createCosting } from './costing.ts';
import type { Costing } from './costing.ts';
import { createDemandMeters } from './demand-metrics.ts';
import { plansOf } from './demand-options.ts';
import type { DemandOptions } from './demand-options.ts';
import { createDemandPolicy } from './demand-policy.ts';
import { createMemoryBudgets } from './memory-budgets.ts';
import { createSharedBudgets } from './shared-budgets.ts';

/** Demand control of one router, whatever supergraph it runs on and whatever its rules are: budgets outlive both. */
export interface Demand {
  policyOf(options: DemandOptions): Policy;
  costingOf(supergraph: LoadedSupergraph, options: DemandOptions): Costing;
  close(): Promise<void>;
}

export interface DemandContext {
  registry: Registry;
  /** Where budgets are shared with other routers; null: nowhere. Not closed with them. */
  buckets: SharedBuckets | null;
  /** Whose bucket pays: the user's, whatever token or key they come with, or the address's. */
  keyOf: (session: Session) => string;
}

export function createDemand({ registry, buckets, keyOf }: DemandContext): Demand {
  const meters = createDemandMeters(registry);
  const budgets = buckets === null ? createMemoryBudgets() : createSharedBudgets({ buckets });
  return {
    policyOf(options) {
      const { mode, budget, planning, tell, bySubgraph } = options;
      meters.know(plansOf(options));
      return createDemandPolicy({ mode, budget, planning, tell, bySubgraph, budgets, meters, keyOf });
    },
    costingOf: (supergraph, options) => createCosting(supergraph, options, () => meters.outcome('too_expensive')),
    close: () => budgets.close(),
  };
}
