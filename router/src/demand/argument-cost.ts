import { getNamedType, isInputObjectType, isListType, isNonNullType, Kind, valueFromAST } from 'graphql';
import type { ArgumentNode, FieldNode, GraphQLCompositeType, GraphQLField, GraphQLInputType } from 'graphql';
import { hasVariables, isRecord } from './list-size.ts';
import { sum } from './term.ts';
import type { Term } from './term.ts';
import type { Weights } from './weights.ts';

export interface ArgumentRules {
  weights: Weights;
  /** The Apollo Router counts a weight once for a list and again for each of its items; otherwise it counts once. */
  weighsItems: boolean;
}

/** The cost of the arguments that a field is given: 1 for an input object or its weight, 0 for the rest or theirs. */
export function argumentsCost(
  parent: GraphQLCompositeType,
  field: GraphQLField<unknown, unknown>,
  node: FieldNode,
  rules: ArgumentRules,
): Term {
  if (node.arguments === undefined || node.arguments.length === 0) return 0;
  return sum(node.arguments.map((argument) => argumentCost(parent, field, argument, rules)));
}

function argumentCost(
  parent: GraphQLCompositeType,
  field: GraphQLField<unknown, unknown>,
  { name, value }: ArgumentNode,
  rules: ArgumentRules,
): Term {
  const type = field.args.find((candidate) => candidate.name === name.value)?.type;
  if (type === undefined) return 0;
  const weight = rules.weights.ofArgument(parent, field.name, name.value);
  const named = getNamedType(type);
  if (weight === null && !isInputObjectType(named) && !rules.weights.isAnnotated(named.name)) return 0;
  if (value.kind === Kind.VARIABLE) {
    const variable = value.name.value;
    return (variables) => valueCost(variables[variable], type, weight, rules);
  }
  if (!hasVariables(value)) return valueCost(valueFromAST(value, type), type, weight, rules);
  return (variables) => valueCost(valueFromAST(value, type, variables), type, weight, rules);
}

function valueCost(value: unknown, type: GraphQLInputType, weight: number | null, rules: ArgumentRules): number {
  if (value === null || value === undefined) return 0;
  if (isNonNullType(type)) return valueCost(value, type.ofType, weight, rules);
  const named = getNamedType(type);
  const { weights, weighsItems } = rules;
  const typeWeight = weights.isAnnotated(named.name) ? weights.ofType(named) : null;
  if (isListType(type) && Array.isArray(value)) {
    const itemType = type.ofType;
    const itemWeight = weighsItems ? weight : null;
    return value.reduce<number>(
      (total, item) => total + valueCost(item, itemType, itemWeight, rules),
      weight ?? (weighsItems ? typeWeight : null) ?? 0,
    );
  }
  if (!isInputObjectType(named) || !isRecord(value)) return weight ?? typeWeight ?? 0;
  let cost = weight ?? 1;
  for (const field of Object.values(named.getFields())) {
    if (value[field.name] === undefined) continue;
    cost += valueCost(value[field.name], field.type, weights.ofInputField(named.name, field.name), rules);
  }
  return cost;
}
