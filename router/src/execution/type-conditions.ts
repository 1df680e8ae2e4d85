import type { LoadedSupergraph } from '../supergraph/load-supergraph.ts';

/** The types of a supergraph, inaccessible ones included: what plans speak of. */
export type PossibleTypes = LoadedSupergraph['possibleTypes'];

/** Whether an object of a type is one of another: the same, or behind an interface or union. */
export function isOfType(possibleTypes: PossibleTypes, type: unknown, condition: string): boolean {
  if (type === condition) return true;
  if (typeof type !== 'string') return false;
  const possible = possibleTypes.get(condition);
  if (possible === undefined) return false;
  if (possible.has(type)) return true;
  // An interface object is known under an interface's name: it is one of another where each of its types is.
  const own = possibleTypes.get(type);
  return own !== undefined && own.size > 0 && [...own].every((each) => possible.has(each));
}
