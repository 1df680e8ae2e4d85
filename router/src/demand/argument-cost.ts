import { getNamedType, isInputObjectType, isListType, isNonNullType, valueFromAST } from 'graphql';
import type { FieldNode, GraphQLField, GraphQLInputType } from 'graphql';
import type { AnnotationTable } from '../supergraph/annotations.ts';
import { isRecord } from './list-size.ts';

/** The cost of the arguments that a field is given: 1 for an input object or its weight, 0 for the rest or theirs. */
export function argumentsCost(
  coordinate: { type: string; field: GraphQLField<unknown, unknown> },
  node: FieldNode,
  annotations: AnnotationTable,
  variables: Readonly<Record<string, unknown>>,
): number {
  const weights = annotations.types.get(coordinate.type)?.fields.get(coordinate.field.name)?.argumentCosts;
  let cost = 0;
  for (const argument of node.arguments ?? []) {
    const definition = coordinate.field.args.find((candidate) => candidate.name === argument.name.value);
    if (definition === undefined) continue;
    const value: unknown = valueFromAST(argument.value, definition.type, variables);
    cost += valueCost(value, definition.type, annotations, weights?.get(definition.name) ?? null);
  }
  return cost;
}

function valueCost(
  value: unknown,
  type: GraphQLInputType,
  annotations: AnnotationTable,
  weight: number | null,
): number {
  if (value === null || value === undefined) return 0;
  if (isNonNullType(type)) return valueCost(value, type.ofType, annotations, weight);
  if (isListType(type) && Array.isArray(value)) {
    const itemType = type.ofType;
    return value.reduce<number>((sum, item) => sum + valueCost(item, itemType, annotations, null), weight ?? 0);
  }
  const named = getNamedType(type);
  const own = annotations.types.get(named.name);
  if (!isInputObjectType(named) || !isRecord(value)) return weight ?? own?.cost ?? 0;
  let cost = weight ?? own?.cost ?? 1;
  for (const field of Object.values(named.getFields())) {
    cost += valueCost(value[field.name], field.type, annotations, own?.fields.get(field.name)?.cost ?? null);
  }
  return cost;
}
