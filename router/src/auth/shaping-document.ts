import { getNamedType, isAbstractType, isCompositeType, Kind } from 'graphql';
import type {
  FieldNode,
  GraphQLCompositeType,
  GraphQLSchema,
  OperationDefinitionNode,
  SelectionNode,
  SelectionSetNode,
} from 'graphql';
import { compositeType, fieldOf } from './filter-operation.ts';
import type { FragmentMap } from './filter-operation.ts';

/**
 * The original operation with `<alias>: __typename` beside every selection on an abstract type, so
 * that `nullDenied` knows which fragments applied. For shaping only: it is neither planned nor sent.
 */
export function withTypeAliases(
  operation: OperationDefinitionNode,
  fragments: FragmentMap,
  schema: GraphQLSchema,
  alias: string,
): { operation: OperationDefinitionNode; fragments: FragmentMap } {
  const typeField: FieldNode = {
    kind: Kind.FIELD,
    alias: { kind: Kind.NAME, value: alias },
    name: { kind: Kind.NAME, value: '__typename' },
  };
  const rewrite = (set: SelectionSetNode, parent: GraphQLCompositeType, own: boolean): SelectionSetNode => {
    const selections = set.selections.map((selection): SelectionNode => {
      if (selection.kind === Kind.FRAGMENT_SPREAD || selection.selectionSet === undefined) return selection;
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition?.name.value;
        const type = condition === undefined ? parent : compositeType(schema, condition);
        return type === null ? selection : { ...selection, selectionSet: rewrite(selection.selectionSet, type, false) };
      }
      const field = fieldOf(parent, selection.name.value);
      const type = field === undefined ? null : getNamedType(field.type);
      if (!isCompositeType(type)) return selection;
      return { ...selection, selectionSet: rewrite(selection.selectionSet, type, true) };
    });
    return { ...set, selections: own && isAbstractType(parent) ? [typeField, ...selections] : selections };
  };

  const root = schema.getRootType(operation.operation);
  const rewritten = new Map(
    [...fragments].map(([name, fragment]) => {
      const type = compositeType(schema, fragment.typeCondition.name.value);
      return [
        name,
        type === null ? fragment : { ...fragment, selectionSet: rewrite(fragment.selectionSet, type, false) },
      ];
    }),
  );
  return {
    operation: root ? { ...operation, selectionSet: rewrite(operation.selectionSet, root, false) } : operation,
    fragments: rewritten,
  };
}
