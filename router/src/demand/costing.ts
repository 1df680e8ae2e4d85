import type { Principal } from '../auth/principal.ts';
import type { FilteredOperation } from '../auth/filter-operation.ts';
import { refusal } from '../operations/refusal.ts';
import type { LoadedSupergraph } from '../supergraph/load-supergraph.ts';
import { createCostEstimate } from './cost-estimate.ts';
import { forPrincipal, listSizeOf } from './demand-options.ts';
import type { DemandOptions } from './demand-options.ts';
import type { Variables } from './term.ts';
import { createWeights } from './weights.ts';

/** What operations on one supergraph cost. */
export interface Costing {
  estimateOf(filtered: Pick<FilteredOperation, 'operation' | 'fragments'>): (coerced: Variables) => number;
  /** @throws OperationRefused where it is more than the principal may ask for at once */
  check(estimated: number, principal: Principal): void;
}

export function createCosting(supergraph: LoadedSupergraph, options: DemandOptions): Costing {
  const { schema, annotations } = supergraph;
  const { mode, maximum } = options;
  const weights = createWeights(schema, annotations, 'heaviest');
  const rules = { schema, weights, weighsItems: false, listSize: listSizeOf(options) };
  return {
    estimateOf: ({ operation, fragments }) => createCostEstimate({ operation, fragments, rules }),
    check(estimated, principal) {
      if (maximum === undefined || mode === 'measure') return;
      const most = forPrincipal(maximum, principal);
      if (estimated <= most) return;
      throw refusal(
        'COST_ESTIMATED_TOO_EXPENSIVE',
        `The operation could cost ${estimated} points; at most ${most} are allowed.`,
        { cost: { estimated, max: most } },
      );
    },
  };
}
