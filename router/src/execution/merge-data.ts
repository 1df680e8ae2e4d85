import { isData, isList, setOwn } from './data.ts';
import type { Data } from './data.ts';
import type { PossibleTypes } from './type-conditions.ts';

/**
 * Merges what one fetch brought into what is there already, in place. Objects merge by key and lists
 * of the same length by index; of two other values the later one counts. A null replaces nothing: of
 * two subgraphs that answer the same field one may have failed. Nor does the name of an interface replace that of a
 * type: a subgraph that has an interface as an object knows no better.
 */
export function mergeData(target: Data, source: Data, possibleTypes: PossibleTypes): void {
  for (const key in source) {
    const value = source[key];
    const known = Object.hasOwn(target, key) ? target[key] : undefined;
    if (known === undefined || known === null) setOwn(target, key, value);
    else if (value !== null && value !== undefined && value !== known) {
      if (key === '__typename' && typeof value === 'string' && possibleTypes.has(value)) continue;
      setOwn(target, key, mergeValues(known, value, possibleTypes));
    }
  }
}

function mergeValues(known: unknown, value: unknown, possibleTypes: PossibleTypes): unknown {
  if (isData(known) && isData(value)) {
    mergeData(known, value, possibleTypes);
    return known;
  }
  if (isList(known) && isList(value) && known.length === value.length) {
    for (const [index, item] of value.entries()) {
      const there = known[index];
      if (item !== there && item !== null)
        known[index] = there === null ? item : mergeValues(there, item, possibleTypes);
    }
    return known;
  }
  return value;
}
