import { getNamedType, isCompositeType, isInterfaceType, isObjectType, Kind, visit } from 'graphql';
import type {
  DocumentNode,
  FieldNode,
  FragmentDefinitionNode,
  GraphQLCompositeType,
  GraphQLSchema,
  OperationDefinitionNode,
  SelectionNode,
  SelectionSetNode,
} from 'graphql';
import { compositeType, fieldOf } from '../auth/filter-operation.ts';
import type { FragmentMap } from '../auth/filter-operation.ts';
import type { PlannedNames } from '../supergraph/planned-names.ts';

/** The response name under which a plan fetches a field of a client's operation. */
export type SourceOf = (field: FieldNode) => string;

/**
 * A plan fetches keys and required fields beside what the client asked for, under their own names, and the planner
 * takes one response name for one field: a client's `id: legacyId` would become the entity's key, and the arguments
 * of `price(currency: EUR)` those of a required `price`. Such fields get a name of their own for the plan; the response
 * is shaped under the client's. The type that a field is read from plays no part: behind an interface it is known late.
 */
export function createSourceOf(schema: GraphQLSchema, names: PlannedNames): SourceOf {
  const variable = new Set<string>();
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) && !isInterfaceType(type)) continue;
    for (const { name, args } of Object.values(type.getFields())) {
      if (args.length > 0 && names.required.has(name)) variable.add(name);
    }
  }
  return ({ name: { value: name }, alias }) => {
    const responseName = alias?.value ?? name;
    const isTaken =
      responseName === name
        ? variable.has(name)
        : responseName.startsWith('_') || responseName.includes('__') || names.fields.has(responseName);
    return isTaken ? `${names.prefix}${responseName}` : responseName;
  };
}

/** The operation as it is planned: without the variables that filtering left unused. */
export function planningDocument(
  { operation, fragments }: { operation: OperationDefinitionNode; fragments: FragmentMap },
  schema: GraphQLSchema,
  sourceOf: SourceOf,
): DocumentNode {
  const rename = (set: SelectionSetNode, parent: GraphQLCompositeType): SelectionSetNode => ({
    ...set,
    selections: set.selections.map((selection): SelectionNode => {
      if (selection.kind === Kind.FRAGMENT_SPREAD) return selection;
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition?.name.value;
        const type = condition === undefined ? parent : compositeType(schema, condition);
        return type === null ? selection : { ...selection, selectionSet: rename(selection.selectionSet, type) };
      }
      const source = sourceOf(selection);
      const type = getNamedType(fieldOf(parent, selection.name.value)?.type);
      const renamed: FieldNode =
        source === (selection.alias?.value ?? selection.name.value)
          ? selection
          : { ...selection, alias: { kind: Kind.NAME, value: source } };
      return selection.selectionSet === undefined || !isCompositeType(type)
        ? renamed
        : { ...renamed, selectionSet: rename(selection.selectionSet, type) };
    }),
  });

  const root = schema.getRootType(operation.operation);
  if (!root) throw new Error(`The schema has no type for a ${operation.operation}.`);
  const definitions: FragmentDefinitionNode[] = [...fragments.values()].map((fragment) => {
    const type = compositeType(schema, fragment.typeCondition.name.value);
    return type === null ? fragment : { ...fragment, selectionSet: rename(fragment.selectionSet, type) };
  });
  const used = usedVariables(operation, definitions);
  const variableDefinitions = (operation.variableDefinitions ?? []).filter(({ variable }) => {
    return used.has(variable.name.value);
  });
  const selectionSet = rename(operation.selectionSet, root);
  return { kind: Kind.DOCUMENT, definitions: [{ ...operation, variableDefinitions, selectionSet }, ...definitions] };
}

function usedVariables(operation: OperationDefinitionNode, fragments: readonly FragmentDefinitionNode[]): Set<string> {
  const used = new Set<string>();
  for (const root of [operation.selectionSet, ...(operation.directives ?? []), ...fragments]) {
    visit(root, { Variable: ({ name }) => void used.add(name.value) });
  }
  return used;
}
