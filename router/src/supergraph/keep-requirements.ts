import type { QueryPlan } from '@apollo/query-planner';
import type { DocumentNode } from 'graphql';
import { planFetches } from './plan-fetches.ts';
import type { PlannerSupergraph } from './planner-protocol.ts';
import { requirementsCheck } from './requirements-check.ts';
import { separateChains } from './requires-chains.ts';

/** Plans one operation, with the labels of the overrides that are on. */
export type Planning = (operation: DocumentNode, overrides: readonly string[]) => QueryPlan;

interface ChainsOptions {
  /** What `stock` plans on. */
  document: DocumentNode;
  possibleTypes: PlannerSupergraph['possibleTypes'];
  planningOn: (document: DocumentNode) => Planning;
}

/**
 * Where a plan asks for a field before what it requires is there (see requires-chains.ts), or the planner gets into a
 * muddle over it, the operation is planned again with these fields kept apart. That may take a fetch more, and so is
 * done for nothing else: every other plan is the one that was made first. So is one that is no better for it.
 *
 * @throws what `stock` throws, where there is no plan at all
 */
export function keepingRequirements(stock: Planning, { document, possibleTypes, planningOn }: ChainsOptions): Planning {
  const chains = separateChains(document);
  if (chains === null) return stock;
  const { document: separatedDocument, realSubgraphs } = chains;
  const keepsRequirements = requirementsCheck(document, possibleTypes);
  let separated: Planning | null = null;

  function planSeparated(operation: DocumentNode, overrides: readonly string[]): QueryPlan | null {
    try {
      separated ??= planningOn(separatedDocument);
      const plan = separated(operation, overrides);
      for (const fetch of planFetches(plan.node)) {
        fetch.serviceName = realSubgraphs.get(fetch.serviceName) ?? fetch.serviceName;
      }
      return keepsRequirements(plan) ? plan : null;
    } catch {
      return null;
    }
  }

  return (operation, overrides) => {
    let plan: QueryPlan;
    try {
      plan = stock(operation, overrides);
    } catch (error) {
      const other = planSeparated(operation, overrides);
      if (other === null) throw error;
      return other;
    }
    return keepsRequirements(plan) ? plan : (planSeparated(operation, overrides) ?? plan);
  };
}
