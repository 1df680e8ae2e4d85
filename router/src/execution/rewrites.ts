import type { FetchDataRewrite } from '@apollo/query-planner';
import { isData, isList, setOwn } from './data.ts';
import type { Data } from './data.ts';
import { isOfType } from './type-conditions.ts';
import type { PossibleTypes } from './type-conditions.ts';

export type Rewrite = (value: unknown) => void;

const ON_TYPE = '... on ';

/**
 * Compiles the rewrites that a plan asks for on what is sent to a subgraph (an interface object's type)
 * or on what it answers (response names that the planner invented to keep two fields apart).
 */
export function compileRewrites(
  rewrites: readonly FetchDataRewrite[] | undefined,
  possibleTypes: PossibleTypes,
): Rewrite | null {
  if (rewrites === undefined || rewrites.length === 0) return null;
  const steps = rewrites.map((rewrite) => compileRewrite(rewrite, possibleTypes));
  return (value) => {
    for (const step of steps) step(value);
  };
}

function compileRewrite(rewrite: FetchDataRewrite, possibleTypes: PossibleTypes): Rewrite {
  const name = rewrite.path.at(-1) ?? '';
  const parents = rewrite.path.slice(0, -1);
  const change = (object: Data) => {
    if (rewrite.kind === 'ValueSetter') {
      setOwn(object, name, rewrite.setValueTo);
    } else if (Object.hasOwn(object, name) && object[name] !== undefined) {
      setOwn(object, rewrite.renameKeyTo, object[name]);
      object[name] = undefined;
    }
  };
  const walk = (value: unknown, depth: number): void => {
    if (isList(value)) {
      for (const item of value) walk(item, depth);
      return;
    }
    if (!isData(value)) return;
    const step = parents[depth];
    if (step === undefined) change(value);
    else if (!step.startsWith(ON_TYPE)) walk(value[step], depth + 1);
    else {
      const type = value['__typename'];
      if (type === undefined || isOfType(possibleTypes, type, step.slice(ON_TYPE.length))) walk(value, depth + 1);
    }
  };
  return (value) => walk(value, 0);
}
