import { isData, isList } from './data.ts';
import type { Data } from './data.ts';

export type Path = readonly (string | number)[];

/** Every object at a plan's path, in order: `@` stands for each item of a list. Nulls are left out. */
export function objectsAt(root: Data, path: Path): Data[] {
  const found: Data[] = [];
  collect(root, path, 0, found);
  return found;
}

function collect(value: unknown, path: Path, depth: number, found: Data[]): void {
  if (isList(value)) {
    const next = path[depth] === '@' ? depth + 1 : depth;
    for (const item of value) collect(item, path, next, found);
    return;
  }
  if (!isData(value)) return;
  const step = path[depth];
  if (step === undefined) found.push(value);
  else collect(value[step], path, depth + 1, found);
}

/** An object of a response, and how it was come by. */
export interface Place {
  object: Data;
  path: Path;
  /** The objects around it, the outermost first. */
  ancestors: readonly Data[];
}

/** The same objects as {@link objectsAt}, with their places: for errors and for what objects inherit. */
export function placesAt(root: Data, path: Path): Place[] {
  const found: Place[] = [];
  const walk = (value: unknown, depth: number, at: Path, ancestors: readonly Data[]): void => {
    if (isList(value)) {
      const next = path[depth] === '@' ? depth + 1 : depth;
      for (const [index, item] of value.entries()) walk(item, next, [...at, index], ancestors);
      return;
    }
    if (!isData(value)) return;
    const step = path[depth];
    if (step === undefined) found.push({ object: value, path: at, ancestors });
    else walk(value[step], depth + 1, [...at, step], [...ancestors, value]);
  };
  walk(root, 0, [], []);
  return found;
}
