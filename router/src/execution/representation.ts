import type { QueryPlanSelectionNode } from '@apollo/query-planner';
import { isData, isList, setOwn } from './data.ts';
import type { Data } from './data.ts';
import { mergeData } from './merge-data.ts';
import { isOfType } from './type-conditions.ts';
import type { PossibleTypes } from './type-conditions.ts';

/**
 * An entity's representation for a subgraph. The planner joins what is required of objects of several types, and what
 * is required by fields that a condition leaves out: a field that is not there was not asked for, and is left out. Null
 * where it was asked for and not answered.
 */
export type Represent = (entity: Data, unanswered: Unanswered) => Data | null;

/** Objects of which some field was asked for and not answered. */
export type Unanswered = Pick<WeakSet<Data>, 'has'>;

interface Selected {
  /** Where it is read: a plan has an alias for what is fetched with several sets of arguments. */
  source: string;
  /** What the subgraph is told it is. */
  name: string;
  inner: Represent | null;
}

interface OnType {
  condition: string;
  represent: Represent;
}

/** Compiles the `requires` of a fetch. */
export function compileRepresentation(
  selections: readonly QueryPlanSelectionNode[],
  possibleTypes: PossibleTypes,
): Represent {
  const fields: Selected[] = [];
  const fragments: OnType[] = [];
  for (const selection of selections) {
    if (selection.kind === 'Field') {
      const { alias, name, selections: inner } = selection;
      fields.push({ source: alias ?? name, name, inner: inner ? compileRepresentation(inner, possibleTypes) : null });
    } else if (selection.typeCondition !== undefined) {
      const represent = compileRepresentation(selection.selections, possibleTypes);
      fragments.push({ condition: selection.typeCondition, represent });
    }
  }

  return (entity, unanswered) => {
    const representation: Data = {};
    for (const { source, name, inner } of fields) {
      const value = entity[source];
      if (value !== undefined) {
        setOwn(representation, name, inner === null ? value : representValue(value, inner, unanswered));
      } else if (unanswered.has(entity)) return null;
    }
    for (const { condition, represent } of fragments) {
      if (!isOfType(possibleTypes, entity['__typename'], condition)) continue;
      const part = represent(entity, unanswered);
      if (part !== null) mergeData(representation, part, possibleTypes);
    }
    return representation;
  };
}

function representValue(value: unknown, inner: Represent, unanswered: Unanswered): unknown {
  if (isList(value)) return value.map((item) => representValue(item, inner, unanswered));
  return isData(value) ? inner(value, unanswered) : value;
}
