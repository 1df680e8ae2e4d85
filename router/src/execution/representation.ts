import type { QueryPlanSelectionNode } from '@apollo/query-planner';
import { isData, isList, setOwn } from './data.ts';
import type { Data } from './data.ts';
import { isOfType } from './type-conditions.ts';
import type { PossibleTypes } from './type-conditions.ts';

/** How objects of one type are represented to a subgraph. */
export interface Representation {
  /** Where the only field beside `__typename` is read, if it is a leaf: what objects can be told apart by. */
  identifier: string | null;
  /**
   * The planner joins what is required by several fields, of which a condition may leave one out: what is not there
   * was not asked for, and is left out. Null where it was asked for and not answered.
   */
  of(object: Data, unanswered: Unanswered): Data | null;
}

/** By the type's name. */
export type Representations = (type: string) => Representation;

/** Objects of which some field was asked for and not answered. */
export type Unanswered = Pick<WeakSet<Data>, 'has'>;

interface Selected {
  /** What the subgraph is told it is. */
  name: string;
  /** Where it is read: a plan has an alias for what is fetched with several sets of arguments. */
  source: string;
  inner: Representations | null;
}

/** A subgraph may make types up; what is remembered of them is bounded. */
const MAX_TYPES = 1_000;

/** Compiles the `requires` of a fetch: for each type when it first occurs. */
export function compileRepresentations(
  selections: readonly QueryPlanSelectionNode[],
  possibleTypes: PossibleTypes,
): Representations {
  const known = new Map<string, Representation>();
  return (type) => {
    let representation = known.get(type);
    if (representation === undefined) {
      representation = representationBy(selectedOn(type, selections, possibleTypes));
      if (known.size >= MAX_TYPES) known.clear();
      known.set(type, representation);
    }
    return representation;
  };
}

function representationBy(fields: readonly Selected[]): Representation {
  const [first, ...others] = fields.filter(({ name }) => name !== '__typename');
  return {
    identifier: first !== undefined && first.inner === null && others.length === 0 ? first.source : null,
    of(object, unanswered) {
      const representation: Data = {};
      for (const { name, source, inner } of fields) {
        const value = object[source];
        if (value !== undefined) {
          setOwn(representation, name, inner === null ? value : represent(value, inner, unanswered));
        } else if (unanswered.has(object)) return null;
      }
      return representation;
    },
  };
}

function represent(value: unknown, inner: Representations, unanswered: Unanswered): unknown {
  if (isList(value)) return value.map((item) => represent(item, inner, unanswered));
  if (!isData(value)) return value;
  const type = value['__typename'];
  return inner(typeof type === 'string' ? type : '').of(value, unanswered);
}

/** What is selected of objects of a type, the fragments that apply to it included. */
function selectedOn(
  type: string,
  selections: readonly QueryPlanSelectionNode[],
  possibleTypes: PossibleTypes,
): Selected[] {
  const collected = new Map<string, { source: string; inner: QueryPlanSelectionNode[] }>();
  const collect = (some: readonly QueryPlanSelectionNode[]): void => {
    for (const selection of some) {
      if (selection.kind === 'InlineFragment') {
        const { typeCondition: condition } = selection;
        if (condition === undefined || isOfType(possibleTypes, type, condition)) collect(selection.selections);
        continue;
      }
      const { name, alias, selections: inner = [] } = selection;
      const field = collected.get(name);
      if (field === undefined) collected.set(name, { source: alias ?? name, inner: [...inner] });
      else field.inner.push(...inner);
    }
  };
  collect(selections);
  return [...collected].map(([name, { source, inner }]) => {
    return { name, source, inner: inner.length === 0 ? null : compileRepresentations(inner, possibleTypes) };
  });
}
