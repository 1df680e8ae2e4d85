import { OperationTypeNode } from 'graphql';
import type { OperationDefinitionNode } from 'graphql';
import type { FragmentMap } from '../auth/filter-operation.ts';
import { costOf, costTree } from './cost-tree.ts';
import type { CostRules, TreeInput } from './cost-tree.ts';
import { conditionVariables, createByConditions, isIncluded } from '../operations/by-conditions.ts';
import { sum, valueOf } from './term.ts';
import type { Variables } from './term.ts';

export const MUTATION_COST = 10;

export interface CostEstimateInput {
  /** Null where nothing was left of it. */
  operation: OperationDefinitionNode | null;
  fragments: FragmentMap;
  rules: CostRules;
}

/**
 * What an operation may cost at most, after the cost specification and the Apollo Router's demand control: an object 1, a
 * scalar or enum 0, or its `@cost`; a list its items; an input object 1; a mutation 10 more. Over the supergraph instead
 * of over the fetches, so that it does not depend on how the plan is cut. Worked out once; what variables change is
 * left open.
 *
 * What is returned throws OperationRefused where `@listSize` requires one slicing argument and another number is given.
 */
export function createCostEstimate({ operation, fragments, rules }: CostEstimateInput): (coerced: Variables) => number {
  if (operation === null) return () => 0;
  const root = rules.schema.getRootType(operation.operation);
  if (!root) return () => 0;
  const base = operation.operation === OperationTypeNode.MUTATION ? MUTATION_COST : 0;
  const names = conditionVariables([operation, ...fragments.values()], ['skip', 'include']);
  const termFor = createByConditions(names, (coerced) => {
    const input: TreeInput = { rules, fragments, isIncluded: (selection) => isIncluded(selection, coerced) };
    return sum([base, costOf(costTree(input, root, [operation.selectionSet], []))]);
  });
  return (coerced) => valueOf(termFor(coerced), coerced);
}
