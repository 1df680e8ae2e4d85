import { Kind } from 'graphql';
import type { FieldNode, OperationDefinitionNode, SelectionSetNode } from 'graphql';
import type { FragmentMap } from '../auth/filter-operation.ts';
import type { Path } from './places.ts';

export interface AskedOperation {
  operation: OperationDefinitionNode;
  fragments: FragmentMap;
  denied: ReadonlySet<FieldNode>;
  sourceOf: (field: FieldNode) => string;
}

/**
 * Whether an operation asks, on objects of any type and under any condition, for what stands at a place of what was
 * fetched. By selections and not by shapes, of which there is one for each type at each step.
 */
export function asksFor({ operation, fragments, denied, sourceOf }: AskedOperation, path: Path): boolean {
  let sets: ReadonlySet<SelectionSetNode> = new Set([operation.selectionSet]);
  for (const step of path) {
    if (typeof step === 'number') continue;
    const inner = new Set<SelectionSetNode>();
    const seen = new Set<SelectionSetNode>();
    let isFound = false;
    const look = (set: SelectionSetNode | undefined): void => {
      if (set === undefined || seen.has(set)) return;
      seen.add(set);
      for (const selection of set.selections) {
        if (selection.kind === Kind.INLINE_FRAGMENT) look(selection.selectionSet);
        else if (selection.kind === Kind.FRAGMENT_SPREAD) look(fragments.get(selection.name.value)?.selectionSet);
        else if (!denied.has(selection) && selection.name.value !== '__typename' && sourceOf(selection) === step) {
          isFound = true;
          if (selection.selectionSet !== undefined) inner.add(selection.selectionSet);
        }
      }
    };
    for (const set of sets) look(set);
    if (!isFound) return false;
    sets = inner;
  }
  return true;
}
