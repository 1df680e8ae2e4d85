import type { FetchDataKeyRenamer } from '@apollo/query-planner';
import { isData, isList } from './data.ts';
import type { Data } from './data.ts';
import type { Place } from './places.ts';
import { isOfType } from './type-conditions.ts';
import type { PossibleTypes } from './type-conditions.ts';

/** The variables that a fetch gets from the objects around an entity (`@fromContext`). */
export type ContextArguments = (place: Place) => Data;

const UP = '..';
const ON_TYPE = '... on ';

export function compileContext(
  rewrites: readonly FetchDataKeyRenamer[] | undefined,
  possibleTypes: PossibleTypes,
): ContextArguments | null {
  if (rewrites === undefined || rewrites.length === 0) return null;
  return (place) => {
    const values: Data = {};
    for (const { path, renameKeyTo } of rewrites) {
      const ups = path.filter((step) => step === UP).length;
      const steps = path.filter((step) => step !== UP);
      // A context that several types set has a path for each: the one that fits says the value.
      const around = ups === 0 ? place.object : place.ancestors.at(-ups);
      const value = around === undefined ? undefined : valueAt(around, steps, possibleTypes);
      if (value !== undefined) values[renameKeyTo] = value;
      else values[renameKeyTo] ??= null;
    }
    return values;
  };
}

function valueAt(value: unknown, steps: readonly string[], possibleTypes: PossibleTypes): unknown {
  const [step, ...rest] = steps;
  if (step === undefined || value === null || value === undefined) return value;
  if (isList(value)) return value.map((item) => valueAt(item, steps, possibleTypes));
  if (!isData(value)) return undefined;
  if (!step.startsWith(ON_TYPE)) return valueAt(value[step], rest, possibleTypes);
  const type = value['__typename'];
  return isOfType(possibleTypes, type, step.slice(ON_TYPE.length)) ? valueAt(value, rest, possibleTypes) : undefined;
}
