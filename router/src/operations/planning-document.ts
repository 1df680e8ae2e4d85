import { createHash } from 'node:crypto';
import {
  doTypesOverlap,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  print,
  visit,
} from 'graphql';
import type {
  DocumentNode,
  FieldNode,
  FragmentDefinitionNode,
  FragmentSpreadNode,
  GraphQLCompositeType,
  GraphQLObjectType,
  GraphQLSchema,
  InlineFragmentNode,
  OperationDefinitionNode,
  SelectionNode,
  SelectionSetNode,
} from 'graphql';
import { compositeType, fieldOf } from '../auth/filter-operation.ts';
import type { FragmentMap } from '../auth/filter-operation.ts';
import { atOnce } from '../supergraph/at-once.ts';
import type { LoadedSupergraph } from '../supergraph/load-supergraph.ts';
import type { PlannedNames } from '../supergraph/planned-names.ts';
import { decided } from './decided.ts';
import { createSelectionBudget } from './selection-budget.ts';

const MEANING_LENGTH = 10;

/** The response name under which a plan fetches a field of a client's operation. */
export type SourceOf = (field: FieldNode) => string;

/**
 * A plan fetches keys and required fields beside what the client asked for, under their own names, and the planner
 * takes one response name for one field: a client's `id: legacyId` would become the entity's key, and the arguments
 * of `price(currency: EUR)` those of a required `price`. Such fields get a name of their own for the plan; the response
 * is shaped under the client's. The type that a field is read from plays no part: behind an interface it is known late.
 *
 * The same goes for one field's name with several types: a client's `weight` of one object and a required `weight` of
 * another may not be merged.
 *
 * What clients may ask of two types under one name is asked of one type where a subgraph has their interface as an
 * object; there, the name also says what is meant by it.
 */
export function createSourceOf(schema: GraphQLSchema, names: PlannedNames): SourceOf {
  const typesOf = new Map<string, Set<string>>();
  const variable = new Set<string>();
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) && !isInterfaceType(type)) continue;
    for (const { name, args, type: of } of Object.values(type.getFields())) {
      if (!names.required.has(name)) continue;
      const types = typesOf.get(name) ?? new Set();
      typesOf.set(name, types.add(String(of)));
      if (args.length > 0 || types.size > 1) variable.add(name);
    }
  }
  return ({ name: { value: name }, alias, arguments: args = [] }) => {
    const responseName = alias?.value ?? name;
    if (names.interfaceObjects.size > 0 && (responseName !== name || args.length > 0)) {
      const meaning = createHash('sha256')
        .update(`${name}(${args.map(print).toSorted().join()})`)
        .digest('hex');
      return `${names.prefix}${responseName}_${meaning.slice(0, MEANING_LENGTH)}`;
    }
    const isTaken =
      responseName === name
        ? variable.has(name)
        : responseName.startsWith('_') || responseName.includes('__') || names.fields.has(responseName);
    return isTaken ? `${names.prefix}${responseName}` : responseName;
  };
}

const TYPENAME: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } };

/**
 * The operation as it is planned: without the variables that filtering left unused.
 *
 * @throws OperationRefused with OPERATION_LIMIT_EXCEEDED where too much is made of it
 */
export function planningDocument(
  { operation, fragments }: { operation: OperationDefinitionNode; fragments: FragmentMap },
  { schema, names }: Pick<LoadedSupergraph, 'schema' | 'names'>,
  sourceOf: SourceOf,
): DocumentNode {
  const spend = createSelectionBudget();
  let level = 0;

  const rename = (set: SelectionSetNode, parent: GraphQLCompositeType): SelectionSetNode => {
    level += 1;
    const selections = set.selections.flatMap((each) => {
      spend(level);
      const selection = decided(each);
      if (selection === null) return [];
      return (selection.kind === Kind.FIELD ? field(selection, parent) : fragment(selection, parent)) ?? [];
    });
    level -= 1;
    return { ...set, selections: selections.length > 0 ? selections : [TYPENAME] };
  };

  const field = (selection: FieldNode, parent: GraphQLCompositeType): FieldNode => {
    const source = sourceOf(selection);
    const type = getNamedType(fieldOf(parent, selection.name.value)?.type);
    const renamed: FieldNode =
      source === (selection.alias?.value ?? selection.name.value)
        ? selection
        : { ...selection, alias: { kind: Kind.NAME, value: source } };
    return selection.selectionSet === undefined || !isCompositeType(type)
      ? renamed
      : { ...renamed, selectionSet: anchored(rename(selection.selectionSet, type)) };
  };

  /** By type and name, and by the name made of them. */
  const narrowed = new Map<string, FragmentDefinitionNode>();
  const generated = new Map<string, FragmentDefinitionNode>();
  const mayAllBeOut = new Map<string, boolean>();

  const mayBeOut = (selection: SelectionNode, isNarrowed: boolean): boolean => {
    if (selection.directives?.some(({ name }) => name.value === 'skip' || name.value === 'include')) return true;
    if (selection.kind === Kind.FIELD) return false;
    // Below a fragment on an interface, one on another type may hold for nothing.
    const narrows = selection.kind === Kind.FRAGMENT_SPREAD || selection.typeCondition !== undefined;
    if (isNarrowed && narrows) return true;
    if (selection.kind === Kind.INLINE_FRAGMENT) return allMayBeOut(selection.selectionSet, isNarrowed || narrows);
    const name = selection.name.value;
    let known = mayAllBeOut.get(name);
    if (known === undefined) {
      const definition = generated.get(name) ?? fragments.get(name);
      known = definition !== undefined && allMayBeOut(definition.selectionSet, true);
      mayAllBeOut.set(name, known);
    }
    return known;
  };

  const allMayBeOut = ({ selections }: SelectionSetNode, isNarrowed: boolean): boolean =>
    selections.every((each) => mayBeOut(each, isNarrowed));

  /** The planner fetches no object of which everything is left out; with its type there is always something. */
  const anchored = (set: SelectionSetNode): SelectionSetNode =>
    allMayBeOut(set, false) ? { ...set, selections: [...set.selections, TYPENAME] } : set;

  const fragment = (
    selection: FragmentSpreadNode | InlineFragmentNode,
    parent: GraphQLCompositeType,
  ): SelectionNode | null => {
    const definition = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value);
    const condition = definition?.typeCondition?.name.value;
    const type = condition === undefined ? parent : compositeType(schema, condition);
    if (definition === undefined || type === null) return selection;
    if (isObjectType(parent) && names.interfaceObjects.size > 0) {
      return doTypesOverlap(schema, type, parent) ? narrow(selection, definition, parent) : null;
    }
    if (names.interfaceObjects.has(parent.name) && isAside(schema, parent, type)) {
      const { directives = [] } = selection;
      const common = commonTypes(schema, parent, type);
      // What is deferred is known by its label, which cannot be that of several: the server may also not defer it.
      const once = common.length > 1 ? atOnce(definition) : definition;
      const selections = common.map((each) => narrow({ ...selection, directives: [] }, once, each));
      return { kind: Kind.INLINE_FRAGMENT, directives, selectionSet: { kind: Kind.SELECTION_SET, selections } };
    }
    if (selection.kind === Kind.FRAGMENT_SPREAD) return selection;
    return { ...selection, selectionSet: rename(selection.selectionSet, type) };
  };

  /** The selection on objects of one type; a named fragment stays one, lest fragments of fragments multiply. */
  const narrow = (
    { directives = [] }: FragmentSpreadNode | InlineFragmentNode,
    definition: FragmentDefinitionNode | InlineFragmentNode,
    type: GraphQLObjectType,
  ): SelectionNode => {
    const typeCondition = { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: type.name } } as const;
    if (definition.kind === Kind.INLINE_FRAGMENT) {
      const selectionSet = rename(definition.selectionSet, type);
      return { kind: Kind.INLINE_FRAGMENT, typeCondition, directives, selectionSet };
    }
    const key = `${type.name} ${definition.name.value}`;
    let made = narrowed.get(key);
    if (made === undefined) {
      let value = `${definition.name.value}_on_${type.name}`;
      while (fragments.has(value) || generated.has(value)) value += '_';
      const selectionSet = rename(definition.selectionSet, type);
      made = { kind: Kind.FRAGMENT_DEFINITION, name: { kind: Kind.NAME, value }, typeCondition, selectionSet };
      narrowed.set(key, made);
      generated.set(value, made);
    }
    return { kind: Kind.FRAGMENT_SPREAD, name: made.name, directives };
  };

  const root = schema.getRootType(operation.operation);
  if (!root) throw new Error(`The schema has no type for a ${operation.operation}.`);
  const renamed: FragmentDefinitionNode[] = [...fragments.values()].map((definition) => {
    const type = compositeType(schema, definition.typeCondition.name.value);
    return type === null ? definition : { ...definition, selectionSet: rename(definition.selectionSet, type) };
  });
  const whole = { ...operation, selectionSet: rename(operation.selectionSet, root) };
  const definitions = [...renamed, ...narrowed.values()];
  const used = usedVariables(whole, definitions);
  const variableDefinitions = (operation.variableDefinitions ?? []).filter(({ variable }) => {
    return used.has(variable.name.value);
  });
  return { kind: Kind.DOCUMENT, definitions: [{ ...whole, variableDefinitions }, ...definitions] };
}

/**
 * Whether a fragment's type says something else of an interface's objects than the interface does. Where a subgraph has
 * the interface as an object the planner cannot tell what such a fragment holds for, and gives up; by object types it can.
 */
function isAside(schema: GraphQLSchema, parent: GraphQLCompositeType, type: GraphQLCompositeType): boolean {
  return isAbstractType(type) && type !== parent && !(isInterfaceType(parent) && schema.isSubType(type, parent));
}

function commonTypes(
  schema: GraphQLSchema,
  one: GraphQLCompositeType,
  other: GraphQLCompositeType,
): readonly GraphQLObjectType[] {
  if (!isAbstractType(one) || !isAbstractType(other)) return [];
  return schema.getPossibleTypes(one).filter((type) => schema.isSubType(other, type));
}

function usedVariables(operation: OperationDefinitionNode, fragments: readonly FragmentDefinitionNode[]): Set<string> {
  const used = new Set<string>();
  for (const root of [operation.selectionSet, ...(operation.directives ?? []), ...fragments]) {
    visit(root, { Variable: ({ name }) => void used.add(name.value) });
  }
  return used;
}
