import { getNamedType, isCompositeType } from 'graphql';
import type { FieldNode, GraphQLCompositeType, GraphQLField } from 'graphql';
import { isData, isList } from '../execution/data.ts';
import type { Data } from '../execution/data.ts';
import type { FieldsShape, ObjectShape, ValueShape } from '../execution/response-shape.ts';
import { argumentsCost } from './argument-cost.ts';
import type { ArgumentRules } from './argument-cost.ts';
import { valueOf } from './term.ts';
import type { Term, Variables } from './term.ts';

/** What a field costs where it stands in a response. */
export interface FieldCost {
  /** Of each item; null where the type of the object decides. */
  weight: number | null;
  /** Where the subgraph answered null. */
  ofNull: number;
  arguments: Term;
}

/** What shapes are compiled with, so that a response can be weighed. */
export interface ShapeCosts {
  ofType: (type: GraphQLCompositeType) => number;
  /** Null where it costs nothing, whatever it gives. */
  ofField: (parent: GraphQLCompositeType, field: GraphQLField<unknown, unknown>, node: FieldNode) => FieldCost | null;
}

/**
 * @param ofRuntimeType whether an object weighs what its own type does; the Apollo Router takes the type of the field, and
 * counts that where the field is null, too
 */
export function createShapeCosts(rules: ArgumentRules, { ofRuntimeType }: { ofRuntimeType: boolean }): ShapeCosts {
  const { weights } = rules;
  return {
    ofType: weights.ofType,
    ofField(parent, field, node) {
      const type = getNamedType(field.type);
      const own = weights.ofField(parent, field.name);
      const weight = own ?? (isCompositeType(type) && ofRuntimeType ? null : weights.ofType(type));
      const ofNull = own ?? (isCompositeType(type) && !weights.isWeighted(type.name) ? 0 : (weight ?? 0));
      const cost = { weight, ofNull, arguments: argumentsCost(parent, field, node, rules) };
      return weight === 0 && cost.arguments === 0 && !isCompositeType(type) ? null : cost;
    },
  };
}

/**
 * What an object of a response costs, without what it counts itself: 1 for each object below or its weight, for
 * leaves theirs, and the arguments of what was asked for. It goes only to what can cost something. What no subgraph answered
 * costs nothing; null costs what is said of its field.
 */
export function costOfFields(shape: ObjectShape, data: Data, variables: Variables): number {
  const fields = shape.fieldsOf(data['__typename']);
  return fields === null ? 0 : costBelow(fields, data, variables);
}

function costBelow({ costly }: FieldsShape, data: Data, variables: Variables): number {
  let total = 0;
  for (const { source, value, cost } of costly) {
    const raw = data[source];
    if (raw === undefined || cost === null) continue;
    total += raw === null ? cost.ofNull : costOfValue(value, raw, cost, variables);
    total += valueOf(cost.arguments, variables);
  }
  return total;
}

function costOfValue(shape: ValueShape, raw: unknown, cost: FieldCost, variables: Variables): number {
  if (raw === null || raw === undefined) return cost.ofNull;
  if (shape.kind === 'list') {
    if (!isList(raw)) return 0;
    let total = 0;
    for (const item of raw) total += costOfValue(shape.item, item, cost, variables);
    return total;
  }
  if (shape.kind !== 'object') return cost.weight ?? 0;
  if (!isData(raw)) return 0;
  const fields = shape.object.fieldsOf(raw['__typename']);
  return fields === null ? 0 : (cost.weight ?? fields.weight) + costBelow(fields, raw, variables);
}
