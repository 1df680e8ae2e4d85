import { getNamedType, isCompositeType, isListType, isNonNullType, Kind } from 'graphql';
import type {
  FieldNode,
  GraphQLCompositeType,
  GraphQLOutputType,
  GraphQLSchema,
  SelectionNode,
  SelectionSetNode,
} from 'graphql';
import { compositeType, fieldOf } from '../auth/filter-operation.ts';
import type { FragmentMap } from '../auth/filter-operation.ts';
import { argumentsCost } from './argument-cost.ts';
import type { ArgumentRules } from './argument-cost.ts';
import { compileListSize } from './list-size.ts';
import { sizedFieldsOf } from './sized-fields.ts';
import type { Sized } from './sized-fields.ts';
import { firstSize, product, sum } from './term.ts';
import type { Size, Term } from './term.ts';

/** Rules by which costs are estimated, on one schema. */
export interface CostRules extends ArgumentRules {
  schema: GraphQLSchema;
  /** For lists about which nothing is said. */
  listSize: number;
}

export interface TreeInput {
  rules: CostRules;
  fragments: FragmentMap;
  isIncluded: (selection: SelectionNode) => boolean;
}

/** What a field of an operation costs. */
export interface CostNode {
  /** The response name. */
  name: string;
  /** How many of it there are below one object: 1 of what is no list. */
  size: Term;
  /** All of it below one object. */
  cost: Term;
  children: readonly CostNode[];
  /** What is promised for its children's lists. */
  sized: readonly Sized[];
}

/**
 * Estimates selections on one object of a type. Selections of the same response name on the same type count once;
 * those on different types all count.
 */
export function costTree(
  input: TreeInput,
  parent: GraphQLCompositeType,
  sets: readonly SelectionSetNode[],
  sized: readonly Sized[],
): CostNode[] {
  const fields = new Map<string, { parent: GraphQLCompositeType; nodes: FieldNode[] }>();
  const spread = new Set<string>();
  for (const set of sets) collect(input, parent, set, { fields, spread });
  return [...fields.values()].flatMap(({ parent: owner, nodes }) => fieldNode(input, owner, nodes, sized) ?? []);
}

export function costOf(nodes: readonly CostNode[]): Term {
  return sum(nodes.map(({ cost }) => cost));
}

function fieldNode(
  input: TreeInput,
  parent: GraphQLCompositeType,
  nodes: readonly FieldNode[],
  around: readonly Sized[],
): CostNode | null {
  const { rules } = input;
  const { weights } = rules;
  const [node] = nodes;
  const field = node === undefined ? undefined : fieldOf(parent, node.name.value);
  if (node === undefined || field === undefined) return null;
  const listSizes = weights.listSizes(parent, field.name);
  const own = listSizes.map((listSize) => (listSize === null ? null : compileListSize(listSize, field, node)));
  const sized = [
    ...listSizes.flatMap((listSize, index) =>
      listSize === null ? [] : [{ fields: sizedFieldsOf(listSize), size: own[index] ?? null }],
    ),
    ...around.flatMap(({ fields, size }) => {
      const inner = fields.get(field.name) ?? null;
      return inner === null ? [] : [{ fields: inner, size }];
    }),
  ];
  const type = getNamedType(field.type);
  const inner = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
  const children = isCompositeType(type) ? costTree(input, type, inner, sized) : [];
  const weight = weights.ofField(parent, field.name) ?? weights.ofType(type);
  const size = isList(field.type) ? sizeOf(field.name, { own, around, otherwise: rules.listSize }) : 1;
  const cost = sum([product(size, sum([weight, costOf(children)])), argumentsCost(parent, field, node, rules)]);
  return { name: node.alias?.value ?? node.name.value, size, cost, children, sized };
}

/** What a `@listSize` above promises for the field comes first, then its own and that of what stands around such a field. */
function sizeOf(
  name: string,
  { own, around, otherwise }: { own: readonly Size[]; around: readonly Sized[]; otherwise: number },
): Term {
  const promised = around.filter(({ fields }) => fields.get(name) === null).map(({ size }) => size);
  const passedOn = around.filter(({ fields }) => (fields.get(name) ?? null) !== null).map(({ size }) => size);
  // Of implementations, one that says nothing is as long as any list.
  const isPartly = own.some((size) => size !== null) && own.includes(null);
  return firstSize([promised, [...own.map((size) => size ?? (isPartly ? otherwise : null)), ...passedOn]], otherwise);
}

function isList(type: GraphQLOutputType): boolean {
  return isNonNullType(type) ? isList(type.ofType) : isListType(type);
}

function collect(
  input: TreeInput,
  parent: GraphQLCompositeType,
  set: SelectionSetNode,
  into: {
    fields: Map<string, { parent: GraphQLCompositeType; nodes: FieldNode[] }>;
    /** Fragments that are in already: spread again they bring nothing new. */
    spread: Set<string>;
  },
): void {
  for (const selection of set.selections) {
    if (!input.isIncluded(selection)) continue;
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
    const type = condition === undefined ? parent : compositeType(input.rules.schema, condition);
    if (type !== null) collect(input, type, fragment.selectionSet, into);
  }
}
