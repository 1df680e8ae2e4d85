import { isData, isList, setOwn } from './data.ts';
import type { Data } from './data.ts';

/**
 * Merges what one fetch brought into what is there already, in place. Objects merge by key and lists
 * of the same length by index; of two other values the later one counts. A null replaces nothing: of
 * two subgraphs that answer the same field one may have failed.
 */
export function mergeData(target: Data, source: Data): void {
  for (const key in source) {
    const value = source[key];
    const known = Object.hasOwn(target, key) ? target[key] : undefined;
    if (known === undefined || known === null) setOwn(target, key, value);
    else if (value !== null && value !== undefined && value !== known) setOwn(target, key, mergeValues(known, value));
  }
}

function mergeValues(known: unknown, value: unknown): unknown {
  if (isData(known) && isData(value)) {
    mergeData(known, value);
    return known;
  }
  if (isList(known) && isList(value) && known.length === value.length) {
    for (const [index, item] of value.entries()) {
      const there = known[index];
      if (item !== there && item !== null) known[index] = there === null ? item : mergeValues(there, item);
    }
    return known;
  }
  return value;
}
