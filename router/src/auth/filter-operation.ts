import { getNamedType, isCompositeType, isInterfaceType, isObjectType, Kind } from 'graphql';
import type {
  FieldNode,
  FragmentDefinitionNode,
  GraphQLCompositeType,
  GraphQLField,
  GraphQLInterfaceType,
  GraphQLNamedType,
  GraphQLSchema,
  OperationDefinitionNode,
  SelectionNode,
  SelectionSetNode,
} from 'graphql';
import type { Access } from './access.ts';

export type FragmentMap = ReadonlyMap<string, FragmentDefinitionNode>;

export interface FilteredOperation {
  /** Null when nothing is left to ask. */
  operation: OperationDefinitionNode | null;
  fragments: FragmentMap;
  /** Fields of the original document that were taken out. */
  denied: ReadonlySet<FieldNode>;
}

const TYPENAME: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } };

export interface FilterOptions {
  schema: GraphQLSchema;
  access: Access;
  /** Looks below what is not allowed, too, for what else is not. */
  isThorough?: boolean;
}

/**
 * Takes out of a valid operation what the principal may not see. A selection that is emptied asks
 * for `__typename`, so that the object around the missing fields stays; an emptied fragment goes.
 *
 * A field of an interface is for those who may read it of every type that it could be, and so is a field
 * that returns an interface, where it is asked for what all of its types have.
 */
export function filterOperation(
  operation: OperationDefinitionNode,
  fragments: FragmentMap,
  { schema, access, isThorough = false }: FilterOptions,
): FilteredOperation {
  const denied = new Set<FieldNode>();
  const filteredFragments = new Map<string, FragmentDefinitionNode | null>();

  const filterFragment = (name: string): FragmentDefinitionNode | null => {
    const known = filteredFragments.get(name);
    if (known !== undefined) return known;
    const fragment = fragments.get(name);
    const type = fragment === undefined ? null : compositeType(schema, fragment.typeCondition.name.value);
    if (fragment === undefined || type === null) return null;
    const selections = filter(fragment.selectionSet, type);
    const filtered = selections.length === 0 ? null : { ...fragment, selectionSet: selectionSetOf(selections) };
    filteredFragments.set(name, filtered);
    return filtered;
  };

  const filterField = (node: FieldNode, parent: GraphQLCompositeType): FieldNode | null => {
    const field = fieldOf(parent, node.name.value);
    // Introspection fields are not in the table; whether they may be asked is decided before.
    if (field === undefined) return node;
    const type = getNamedType(field.type);
    const isDenied = !access.mayRead(parent, field) || (asksOfAll(node, type) && !access.mayUse(type));
    if (isDenied) {
      denied.add(node);
      if (!isThorough) return null;
    }
    if (node.selectionSet === undefined || !isCompositeType(type)) return isDenied ? null : node;
    const selections = filter(node.selectionSet, type);
    if (isDenied) return null;
    return { ...node, selectionSet: selectionSetOf(selections.length === 0 ? [TYPENAME] : selections) };
  };

  const filter = (selectionSet: SelectionSetNode, parent: GraphQLCompositeType): SelectionNode[] => {
    const kept: SelectionNode[] = [];
    for (const selection of selectionSet.selections) {
      switch (selection.kind) {
        case Kind.FIELD: {
          const field = filterField(selection, parent);
          if (field !== null) kept.push(field);
          break;
        }
        case Kind.INLINE_FRAGMENT: {
          const condition = selection.typeCondition?.name.value;
          const type = condition === undefined ? parent : compositeType(schema, condition);
          const selections = type === null ? [] : filter(selection.selectionSet, type);
          if (selections.length > 0) kept.push({ ...selection, selectionSet: selectionSetOf(selections) });
          break;
        }
        case Kind.FRAGMENT_SPREAD:
          if (filterFragment(selection.name.value) !== null) kept.push(selection);
          break;
      }
    }
    return kept;
  };

  const root = schema.getRootType(operation.operation);
  const selections = root ? filter(operation.selectionSet, root) : [];
  const used = new Map<string, FragmentDefinitionNode>();
  // What is only below introspection has not been looked at, and is as it was.
  collectFragments(selections, new Map([...fragments, ...filteredFragments]), used);
  return {
    operation: selections.length === 0 ? null : { ...operation, selectionSet: selectionSetOf(selections) },
    fragments: used,
    denied,
  };
}

/** Whether a field that returns an interface is asked for something of objects of whatever type. */
function asksOfAll({ selectionSet }: FieldNode, type: GraphQLNamedType): type is GraphQLInterfaceType {
  if (!isInterfaceType(type)) return false;
  const selections = selectionSet?.selections ?? [];
  return selections.some((each) => each.kind === Kind.FIELD && each.name.value !== '__typename');
}

function collectFragments(
  selections: readonly SelectionNode[],
  available: ReadonlyMap<string, FragmentDefinitionNode | null>,
  used: Map<string, FragmentDefinitionNode>,
): void {
  for (const selection of selections) {
    if (selection.kind === Kind.FRAGMENT_SPREAD) {
      const fragment = available.get(selection.name.value);
      if (!fragment || used.has(selection.name.value)) continue;
      used.set(selection.name.value, fragment);
      collectFragments(fragment.selectionSet.selections, available, used);
    } else if (selection.selectionSet !== undefined) {
      collectFragments(selection.selectionSet.selections, available, used);
    }
  }
}

export function fieldOf(parent: GraphQLCompositeType, name: string): GraphQLField<unknown, unknown> | undefined {
  return isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[name] : undefined;
}

export function compositeType(schema: GraphQLSchema, name: string): GraphQLCompositeType | null {
  const type = schema.getType(name);
  return isCompositeType(type) ? type : null;
}

function selectionSetOf(selections: readonly SelectionNode[]): SelectionSetNode {
  return { kind: Kind.SELECTION_SET, selections };
}
