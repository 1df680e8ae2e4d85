import type { QueryPlanSelectionNode } from '@apollo/query-planner';
import { isData, isList, setOwn } from './data.ts';
import type { Data } from './data.ts';
import { mergeData } from './merge-data.ts';
import { isOfType } from './type-conditions.ts';
import type { PossibleTypes } from './type-conditions.ts';

/** An entity's representation for a subgraph; null where a key or required field is not there. */
export type Represent = (entity: Data) => Data | null;

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

  return (entity) => {
    const representation: Data = {};
    for (const { source, name, inner } of fields) {
      const value = entity[source];
      if (value === undefined) return null;
      setOwn(representation, name, inner === null ? value : representValue(value, inner));
    }
    for (const { condition, represent } of fragments) {
      if (!isOfType(possibleTypes, entity['__typename'], condition)) continue;
      const part = represent(entity);
      if (part !== null) mergeData(representation, part);
    }
    return representation;
  };
}

function representValue(value: unknown, inner: Represent): unknown {
  if (isList(value)) return value.map((item) => representValue(item, inner));
  return isData(value) ? inner(value) : value;
}
