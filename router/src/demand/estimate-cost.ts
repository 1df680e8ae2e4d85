import {
  getDirectiveValues,
  getNamedType,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  isCompositeType,
  isListType,
  isNonNullType,
  Kind,
  OperationTypeNode,
} from 'graphql';
import type {
  FieldNode,
  GraphQLCompositeType,
  GraphQLField,
  GraphQLOutputType,
  GraphQLSchema,
  OperationDefinitionNode,
  SelectionNode,
  SelectionSetNode,
} from 'graphql';
import { compositeType, fieldOf } from '../auth/filter-operation.ts';
import type { FragmentMap } from '../auth/filter-operation.ts';
import type { AnnotationTable, ListSize } from '../supergraph/annotations.ts';
import { argumentsCost } from './argument-cost.ts';
import { expectedListSize } from './list-size.ts';

const MUTATION_COST = 10;

export interface CostInput {
  operation: OperationDefinitionNode;
  fragments: FragmentMap;
  schema: GraphQLSchema;
  annotations: AnnotationTable;
  /** Coerced. */
  variables: Readonly<Record<string, unknown>>;
  /** For lists about which the supergraph says nothing. */
  defaultListSize: number;
}

/** The items that a parent's `@listSize(sizedFields:)` promises for the fields that it names. */
interface Sized {
  listSize: ListSize;
  expected: number | null;
}

/**
 * What an operation may cost at most, after the Apollo Router's demand control: an object 1, a scalar
 * or enum 0, or its `@cost`; a list its items; an input object 1; a mutation 10 more. Over the
 * supergraph instead of over the fetches, so that it does not depend on how the plan is cut.
 * Selections of the same response name on the same type count once.
 *
 * @throws OperationRefused where `@listSize` requires one slicing argument and another number is given
 */
export function estimateCost(input: CostInput): number {
  const root = input.schema.getRootType(input.operation.operation);
  if (!root) return 0;
  const cost = selectionCost(input, root, [input.operation.selectionSet], null);
  return cost + (input.operation.operation === OperationTypeNode.MUTATION ? MUTATION_COST : 0);
}

function selectionCost(
  input: CostInput,
  parent: GraphQLCompositeType,
  sets: readonly SelectionSetNode[],
  sized: Sized | null,
): number {
  const fields = new Map<string, { parent: GraphQLCompositeType; nodes: FieldNode[] }>();
  const spread = new Set<string>();
  for (const set of sets) collect(input, parent, set, { fields, spread });
  let cost = 0;
  for (const { parent: owner, nodes } of fields.values()) cost += fieldCost(input, owner, nodes, sized);
  return cost;
}

function fieldCost(
  input: CostInput,
  parent: GraphQLCompositeType,
  nodes: readonly FieldNode[],
  sized: Sized | null,
): number {
  const [node] = nodes;
  const field = node === undefined ? undefined : fieldOf(parent, node.name.value);
  if (node === undefined || field === undefined) return 0;
  const annotated = input.annotations.types.get(parent.name)?.fields.get(field.name);
  const listSize = annotated?.listSize ?? null;
  const expected = listSize === null ? null : expectedListSize(listSize, field, node, input.variables);

  const type = getNamedType(field.type);
  let each = annotated?.cost ?? input.annotations.types.get(type.name)?.cost ?? (isCompositeType(type) ? 1 : 0);
  if (isCompositeType(type)) {
    const sets = nodes.flatMap((one) => one.selectionSet ?? []);
    each += selectionCost(input, type, sets, listSize === null ? null : { listSize, expected });
  }
  const count = countOf(input, field, listSize, expected, sized);
  return count * each + argumentsCost({ type: parent.name, field }, node, input.annotations, input.variables);
}

function countOf(
  input: CostInput,
  field: GraphQLField<unknown, unknown>,
  listSize: ListSize | null,
  expected: number | null,
  sized: Sized | null,
): number {
  if (!isList(field.type)) return 1;
  const promised = sized?.listSize.sizedFields.includes(field.name) === true ? sized.expected : null;
  const own = listSize !== null && listSize.sizedFields.length === 0 ? expected : null;
  return promised ?? own ?? input.defaultListSize;
}

function isList(type: GraphQLOutputType): boolean {
  return isNonNullType(type) ? isList(type.ofType) : isListType(type);
}

function collect(
  input: CostInput,
  parent: GraphQLCompositeType,
  set: SelectionSetNode,
  into: {
    fields: Map<string, { parent: GraphQLCompositeType; nodes: FieldNode[] }>;
    /** Fragments that are in already: spread again they bring nothing new. */
    spread: Set<string>;
  },
): void {
  for (const selection of set.selections) {
    if (isSkipped(selection, input.variables)) continue;
    if (selection.kind === Kind.FIELD) {
      const key = `${parent.name}.${selection.alias?.value ?? selection.name.value}`;
      const entry = into.fields.get(key);
      if (entry === undefined) into.fields.set(key, { parent, nodes: [selection] });
      else entry.nodes.push(selection);
      continue;
    }
    const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : input.fragments.get(selection.name.value);
    if (fragment === undefined) continue;
    if (selection.kind === Kind.FRAGMENT_SPREAD) {
      if (into.spread.has(selection.name.value)) continue;
      into.spread.add(selection.name.value);
    }
    const condition = fragment.typeCondition?.name.value;
    const type = condition === undefined ? parent : compositeType(input.schema, condition);
    if (type !== null) collect(input, type, fragment.selectionSet, into);
  }
}

function isSkipped(selection: SelectionNode, variables: Readonly<Record<string, unknown>>): boolean {
  if (selection.directives === undefined || selection.directives.length === 0) return false;
  return (
    getDirectiveValues(GraphQLSkipDirective, selection, variables)?.['if'] === true ||
    getDirectiveValues(GraphQLIncludeDirective, selection, variables)?.['if'] === false
  );
}
