import { getNamedType, getNullableType, isCompositeType, isListType, Kind } from 'graphql';
import type {
  FieldNode,
  GraphQLCompositeType,
  GraphQLOutputType,
  GraphQLSchema,
  OperationDefinitionNode,
  SelectionSetNode,
} from 'graphql';
import { compositeType, fieldOf } from './filter-operation.ts';
import type { FragmentMap } from './filter-operation.ts';

/** More than anybody reads; fragments of fragments could make very many. */
const MAX_PATHS = 100;

export interface DeniedOperation {
  operation: OperationDefinitionNode;
  fragments: FragmentMap;
  denied: ReadonlySet<FieldNode>;
}

/**
 * Where in the response to an operation what is not allowed would stand, without executing it: response names, and `@`
 * for every element of a list, as the Apollo Router has it.
 */
export function deniedPaths({ operation, fragments, denied }: DeniedOperation, schema: GraphQLSchema): string[][] {
  const paths = new Map<string, string[]>();

  const visit = (set: SelectionSetNode, parent: GraphQLCompositeType, path: readonly string[]): void => {
    for (const selection of set.selections) {
      if (paths.size >= MAX_PATHS) return;
      if (selection.kind === Kind.FIELD) visitField(selection, parent, path);
      else {
        const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value);
        const condition = fragment?.typeCondition?.name.value;
        const type = condition === undefined ? parent : compositeType(schema, condition);
        if (fragment !== undefined && type !== null) visit(fragment.selectionSet, type, path);
      }
    }
  };

  const visitField = (node: FieldNode, parent: GraphQLCompositeType, around: readonly string[]): void => {
    const path = [...around, node.alias?.value ?? node.name.value];
    if (denied.has(node)) paths.set(path.join(' '), path);
    const type = fieldOf(parent, node.name.value)?.type;
    const named = getNamedType(type);
    if (type === undefined || node.selectionSet === undefined || !isCompositeType(named)) return;
    visit(node.selectionSet, named, [...path, ...elements(type)]);
  };

  const root = schema.getRootType(operation.operation);
  if (root) visit(operation.selectionSet, root, []);
  return [...paths.values()];
}

function elements(type: GraphQLOutputType): string[] {
  const nullable = getNullableType(type);
  return isListType(nullable) ? ['@', ...elements(nullable.ofType)] : [];
}
