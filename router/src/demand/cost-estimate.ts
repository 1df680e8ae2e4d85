import { getNamedType, isInputObjectType, TypeInfo, visit, visitWithTypeInfo } from 'graphql';
import type { OperationDefinitionNode } from 'graphql';
import { estimateCost } from './estimate-cost.ts';
import type { CostInput } from './estimate-cost.ts';

/**
 * The estimated cost of an operation with given (coerced) variables.
 *
 * @throws OperationRefused as estimateCost does
 */
export type CostEstimate = (coerced: Readonly<Record<string, unknown>>) => number;

export interface CostEstimateInput extends Omit<CostInput, 'operation' | 'variables'> {
  /** Null where nothing was left of it. */
  operation: OperationDefinitionNode | null;
}

const REMEMBERED = 100;
const MAX_KEY_CHARACTERS = 500;

/** An estimate that is worked out once for all variables that make no difference to it. */
export function createCostEstimate({ operation, ...input }: CostEstimateInput): CostEstimate {
  if (operation === null) return () => 0;
  const names = variablesThatCount({ ...input, operation });
  const known = new Map<string, number>();
  return (variables) => {
    const key = names.length === 0 ? '' : JSON.stringify(names.map((name) => variables[name]));
    const remembered = known.get(key);
    if (remembered !== undefined) return remembered;
    const cost = estimateCost({ ...input, operation, variables });
    if (known.size >= REMEMBERED) known.clear();
    if (key.length <= MAX_KEY_CHARACTERS) known.set(key, cost);
    return cost;
  };
}

/** Variables that cut lists, decide conditions or carry what has a cost itself. */
function variablesThatCount({ operation, fragments, schema, annotations }: Omit<CostInput, 'variables'>): string[] {
  const names = new Set<string>();
  const typeInfo = new TypeInfo(schema);
  const inside = { counts: false };
  const countsHere = (argumentName: string): boolean => {
    const directive = typeInfo.getDirective();
    if (directive) return true;
    const field = typeInfo.getFieldDef();
    const parent = typeInfo.getParentType();
    const annotated = parent && field ? annotations.types.get(parent.name)?.fields.get(field.name) : undefined;
    if (annotated?.argumentCosts.has(argumentName) === true) return true;
    if (annotated?.listSize?.slicingArguments.some((path) => path.split('.', 1)[0] === argumentName) === true)
      return true;
    const type = getNamedType(field?.args.find(({ name }) => name === argumentName)?.type);
    return isInputObjectType(type) || (type !== undefined && annotations.types.has(type.name));
  };
  for (const root of [operation, ...fragments.values()]) {
    visit(
      root,
      visitWithTypeInfo(typeInfo, {
        Argument: {
          enter({ name }) {
            inside.counts = countsHere(name.value);
          },
          leave() {
            inside.counts = false;
          },
        },
        Variable({ name }) {
          if (inside.counts) names.add(name.value);
        },
      }),
    );
  }
  return [...names];
}
