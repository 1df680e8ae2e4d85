import { Kind, parse } from 'graphql';
import type { SelectionSetNode } from 'graphql';
import { isData } from './data.ts';
import type { Data } from './data.ts';

/** Whether a representation holds a key. */
export type HoldsKey = (representation: Data) => boolean;

/**
 * Compiles the check that a representation can be resolved by a subgraph.
 *
 * @param keys by type, what the subgraph resolves entities by
 */
export function compileHoldsKey(keys: ReadonlyMap<string, readonly string[]>): HoldsKey {
  const checks = new Map([...keys].map(([type, fieldSets]) => [type, fieldSets.map(compileFieldSet)]));
  return (representation) => {
    return checks.get(String(representation['__typename']))?.some((holds) => holds(representation)) ?? false;
  };
}

function compileFieldSet(fields: string): HoldsKey {
  const [definition] = parse(`{${fields}}`, { noLocation: true }).definitions;
  if (definition?.kind !== Kind.OPERATION_DEFINITION) throw new Error(`Not a field set: ${fields}`);
  return compileSelections(definition.selectionSet);
}

function compileSelections({ selections }: SelectionSetNode): HoldsKey {
  const fields = selections.flatMap((selection) => {
    // A key has fragments where its types differ; which of them counts is the subgraph's to say.
    if (selection.kind !== Kind.FIELD) return [];
    const { name, selectionSet } = selection;
    return { name: name.value, inner: selectionSet === undefined ? null : compileSelections(selectionSet) };
  });
  return (object) =>
    fields.every(({ name, inner }) => {
      const value = object[name];
      return value !== undefined && (inner === null || !isData(value) || inner(value));
    });
}
