import { OperationTypeNode } from 'graphql';
import type { OperationDefinitionNode } from 'graphql';
import type { Principal } from '../auth/principal.ts';
import type { FilteredOperation } from '../auth/filter-operation.ts';
import { refusal } from '../operations/refusal.ts';
import type { LoadedSupergraph } from '../supergraph/load-supergraph.ts';
import { createShapeCosts } from './actual-cost.ts';
import { createCostEstimate, MUTATION_COST } from './cost-estimate.ts';
import { forPrincipal, listSizeOf } from './demand-options.ts';
import type { DemandOptions } from './demand-options.ts';
import type { OperationCosts } from './operation-costs.ts';
import type { Variables } from './term.ts';
import { createWeights } from './weights.ts';

/** What operations on one supergraph cost. */
export interface Costing {
  estimateOf(filtered: Pick<FilteredOperation, 'operation' | 'fragments'>): (coerced: Variables) => number;
  costsOf(operation: OperationDefinitionNode): OperationCosts;
  /** @throws OperationRefused where it is more than the principal may ask for at once */
  check(estimated: number, principal: Principal): void;
}

/** @param onExceeded told of what is more than may be asked for, where that is only measured, too */
export function createCosting(
  supergraph: LoadedSupergraph,
  options: DemandOptions,
  onExceeded: () => void = () => undefined,
): Costing {
  const { schema, annotations } = supergraph;
  const { mode, maximum } = options;
  const weights = createWeights(schema, annotations, 'heaviest');
  const rules = { schema, weights, weighsItems: false, listSize: listSizeOf(options) };
  const shapes = createShapeCosts(rules);
  return {
    costsOf: ({ operation }) => ({
      shapes,
      start: () => ({ total: operation === OperationTypeNode.MUTATION ? MUTATION_COST : 0 }),
    }),
    estimateOf: ({ operation, fragments }) => createCostEstimate({ operation, fragments, rules }),
    check(estimated, principal) {
      if (maximum === undefined) return;
      const most = forPrincipal(maximum, principal);
      if (estimated <= most) return;
      onExceeded();
      if (mode === 'measure') return;
      throw refusal(
        'COST_ESTIMATED_TOO_EXPENSIVE',
        `The operation could cost ${estimated} points; at most ${most} are allowed.`,
        { cost: { estimated, max: most } },
      );
    },
  };
}
