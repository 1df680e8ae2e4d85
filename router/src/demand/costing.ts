import { OperationTypeNode } from 'graphql';
import type { GraphQLSchema, OperationDefinitionNode } from 'graphql';
import type { Principal } from '../auth/principal.ts';
import type { FilteredOperation } from '../auth/filter-operation.ts';
import type { CompiledPlan } from '../execution/compile-plan.ts';
import { refusal } from '../operations/refusal.ts';
import type { LoadedSupergraph } from '../supergraph/load-supergraph.ts';
import { createShapeCosts } from './actual-cost.ts';
import { createCostEstimate, MUTATION_COST } from './cost-estimate.ts';
import type { CostRules } from './cost-tree.ts';
import { createFetchActual } from './fetch-actual.ts';
import { createFetchEstimate } from './fetch-estimate.ts';
import { forPrincipal, forSubgraph, hasSubgraphMaximum, listSizeOf } from './demand-options.ts';
import type { DemandOptions } from './demand-options.ts';
import type { CostBySubgraph, FetchCosts, OperationCosts } from './operation-costs.ts';
import type { Variables } from './term.ts';
import { createWeights } from './weights.ts';

/** What operations on one supergraph cost. */
export interface Costing {
  /** Null where it can only be told when it is planned. */
  estimateOf(filtered: Pick<FilteredOperation, 'operation' | 'fragments'>): ((coerced: Variables) => number) | null;
  costsOf(operation: OperationDefinitionNode, plan: CompiledPlan): OperationCosts;
  /** @throws OperationRefused where it is more than the principal may ask for at once */
  check(estimated: number, principal: Principal): void;
  /**
   * What a planned operation may cost at most.
   *
   * @param estimated before it was planned, where that was possible
   * @throws OperationRefused as `check` does
   */
  planned(
    executable: { costs: OperationCosts | null; plan: CompiledPlan },
    context: { estimated: number | null; coerced: Variables; principal: Principal },
  ): PlannedCost;
}

export interface PlannedCost {
  estimatedCost: number;
  /** Null where nobody wants to know. */
  estimatedBySubgraph: CostBySubgraph | null;
  /** Subgraphs that may not be asked for so much; null for none. */
  overpriced: ReadonlySet<string> | null;
}

/** @param onExceeded told of what is more than may be asked for, where that is only measured, too */
export function createCosting(
  supergraph: LoadedSupergraph,
  options: DemandOptions,
  onExceeded: () => void = () => undefined,
): Costing {
  const { annotations } = supergraph;
  const { mode, maximum, estimate = 'supergraph', bySubgraph = false } = options;
  const countsFetches = estimate === 'fetches';
  const estimatesFetches = bySubgraph || countsFetches || hasSubgraphMaximum(options);
  const rulesOn = (schema: GraphQLSchema, behindAbstract: 'heaviest' | 'default', listSize: number): CostRules => ({
    schema,
    weights: createWeights(schema, annotations, behindAbstract),
    weighsItems: countsFetches,
    listSize,
  });
  const rules = rulesOn(supergraph.schema, 'heaviest', listSizeOf(options));
  const shapes = createShapeCosts(rules, { ofRuntimeType: true });
  const fetches = estimatesFetches ? fetchRules() : null;

  function fetchRules() {
    const base = rulesOn(supergraph.fullSchema(), countsFetches ? 'default' : 'heaviest', listSizeOf(options));
    const bySubgraphName = new Map<string, CostRules>();
    const rulesOf = (subgraph: string): CostRules => {
      let own = bySubgraphName.get(subgraph);
      if (own === undefined) {
        own = { ...base, listSize: forSubgraph(options, subgraph, 'listSize') ?? base.listSize };
        bySubgraphName.set(subgraph, own);
      }
      return own;
    };
    const measure = {
      schema: base.schema,
      costs: createShapeCosts(base, { ofRuntimeType: !countsFetches }),
      entityWeight: countsFetches ? 1 : null,
      mutation: countsFetches ? 0 : MUTATION_COST,
    };
    return { estimate: { rulesOf, entities: countsFetches ? 'list' : 'places' } as const, measure };
  }

  function fetchCosts(plan: CompiledPlan): FetchCosts | null {
    if (fetches === null) return null;
    const estimateOf = createFetchEstimate(plan, fetches.estimate);
    return { estimate: estimateOf, actualOf: createFetchActual(plan, fetches.measure) };
  }

  const check: Costing['check'] = (estimated, principal) => {
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
  };

  /** @throws OperationRefused where there would be nothing to subscribe to */
  function overpricedIn(costs: CostBySubgraph, plan: CompiledPlan): ReadonlySet<string> | null {
    let names: Set<string> | null = null;
    for (const subgraph in costs) {
      const cost = costs[subgraph] ?? 0;
      const most = forSubgraph(options, subgraph, 'maximum');
      if (most === undefined || cost <= most) continue;
      onExceeded();
      if (mode === 'measure') continue;
      if (plan.primary?.operation.subgraph === subgraph) {
        throw refusal(
          'SUBGRAPH_COST_ESTIMATED_TOO_EXPENSIVE',
          `What is asked of the subgraph "${subgraph}" could cost ${cost} points; at most ${most} are allowed.`,
          { cost: { subgraph, estimated: cost, max: most } },
        );
      }
      names = (names ?? new Set<string>()).add(subgraph);
    }
    return names;
  }

  return {
    check,
    estimateOf: ({ operation, fragments }) =>
      countsFetches ? null : createCostEstimate({ operation, fragments, rules }),
    costsOf: ({ operation }, plan) => ({
      shapes,
      base: operation === OperationTypeNode.MUTATION ? MUTATION_COST : 0,
      fetches: fetchCosts(plan),
      countsFetches,
    }),
    planned({ costs, plan }, { estimated, coerced, principal }) {
      const known = costs?.fetches?.estimate(coerced) ?? null;
      if (known === null) return { estimatedCost: estimated ?? 0, estimatedBySubgraph: null, overpriced: null };
      let estimatedCost = estimated;
      if (estimatedCost === null) {
        estimatedCost = Object.values(known).reduce((total, cost) => total + cost, 0);
        check(estimatedCost, principal);
      }
      return {
        estimatedCost,
        estimatedBySubgraph: known,
        overpriced: options.subgraphs === undefined ? null : overpricedIn(known, plan),
      };
    },
  };
}
