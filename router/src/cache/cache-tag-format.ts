import { isData } from '../execution/data.ts';
import type { Data } from '../execution/data.ts';

/** Makes a tag of a field's arguments or an entity's key; null where these lack something of it. */
export type CacheTagFormat = (values: Data) => string | null;

/** `{$args.id}`, `{$key.country.name}`. */
const PLACEHOLDER = /\{\$(?:args|key)\.([_A-Za-z][\w.]*)\}/;

/** Compiles the format of a `@cacheTag` (specs.apollo.dev/cacheTag/v0.1). Composition has checked it. */
export function compileCacheTag(format: string): CacheTagFormat {
  // A text with one group splits into what is outside and what is in the groups, in turn.
  const parts = format.split(PLACEHOLDER);
  return (values) => {
    let tag = '';
    for (const [index, part] of parts.entries()) {
      const text = index % 2 === 0 ? part : textAt(values, part.split('.'));
      if (text === null) return null;
      tag += text;
    }
    return tag;
  };
}

function textAt(values: Data, path: readonly string[]): string | null {
  let value: unknown = values;
  for (const step of path) value = isData(value) && Object.hasOwn(value, step) ? value[step] : undefined;
  if (value === null || value === undefined) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
