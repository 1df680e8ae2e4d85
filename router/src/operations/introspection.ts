import { Kind } from 'graphql';
import type { OperationDefinitionNode, SelectionSetNode } from 'graphql';
import type { FragmentMap } from '../auth/filter-operation.ts';

/** Whether an operation asks for the schema, in a fragment or not; `__typename` alone is no introspection. */
export function usesIntrospection(operation: OperationDefinitionNode, fragments: FragmentMap): boolean {
  // Introspection fields exist at the root only.
  const atRoot = (set: SelectionSetNode): boolean =>
    set.selections.some((selection) => {
      if (selection.kind === Kind.FIELD)
        return selection.name.value === '__schema' || selection.name.value === '__type';
      if (selection.kind === Kind.INLINE_FRAGMENT) return atRoot(selection.selectionSet);
      const fragment = fragments.get(selection.name.value);
      return fragment !== undefined && atRoot(fragment.selectionSet);
    });
  return atRoot(operation.selectionSet);
}
