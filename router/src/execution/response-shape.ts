import {
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  isUnionType,
  OperationTypeNode,
} from 'graphql';
import type {
  FieldNode,
  GraphQLCompositeType,
  GraphQLField,
  GraphQLInterfaceType,
  GraphQLObjectType,
  GraphQLOutputType,
  OperationDefinitionNode,
  SelectionSetNode,
} from 'graphql';
import { fieldOf } from '../auth/filter-operation.ts';
import type { FieldCost, ShapeCosts } from '../demand/actual-cost.ts';
import { collectFields, collectWithDeferred } from './collect-fields.ts';
import type { CollectedField, CollectOptions, Selections } from './collect-fields.ts';
import { leafSerializer } from './serialize-leaf.ts';
import type { SerializeLeaf } from './serialize-leaf.ts';

/** A value of a field: what it is made of, from the outside in. */
export type ValueShape =
  | { kind: 'list'; item: ValueShape; itemNonNull: boolean }
  | { kind: 'leaf'; type: string; serialize: SerializeLeaf }
  | { kind: 'object'; object: ObjectShape }
  /** As it is: the result of introspection. */
  | { kind: 'any' };

export interface FieldShape {
  /** The response name. */
  name: string;
  /** Where the value stands in what was fetched. */
  source: string;
  /** `Type.field`, for errors. */
  coordinate: string;
  value: ValueShape;
  nonNull: boolean;
  /** It was taken out: whatever is there is not shown. */
  denied: boolean;
  /** It is shown, and said not to be allowed. */
  reported: boolean;
  /** The value itself, for `__typename`. */
  constant: string | null;
  /** Null where it costs nothing, whatever is there. */
  cost: FieldCost | null;
}

/** What is delivered later: a fragment with `@defer`. */
export interface DeferredShape {
  /** The label that the plan knows it by. */
  planLabel: string;
  /** The client's own label. */
  label: string | undefined;
  object: ObjectShape;
}

/** A selection set on objects of one static type. */
export interface ObjectShape {
  type: GraphQLCompositeType;
  /** The object types that can stand here. */
  typeNames: readonly string[];
  /** Null for objects of a type that cannot stand here, or that clients may not know. */
  fieldsOf(runtimeType: unknown): FieldsShape | null;
}

export interface FieldsShape {
  fields: readonly FieldShape[];
  deferred: readonly DeferredShape[];
  /** Those of the fields that cost something. */
  costly: readonly FieldShape[];
  /** What such an object costs by itself, where its field says nothing. */
  weight: number;
}

export interface ShapeOptions extends CollectOptions {
  operation: OperationDefinitionNode;
  /** The response name under which the plan fetches a field. */
  sourceOf: (field: FieldNode) => string;
  /** Null where costs are not counted. */
  costs: ShapeCosts | null;
}

const ROOTS = [OperationTypeNode.QUERY, OperationTypeNode.MUTATION, OperationTypeNode.SUBSCRIPTION];

/** Where nothing stands: the type of an object that is known under an interface's name only. */
const NOWHERE = '';

/** Under what name the result of introspection is put among what was fetched: no field is called like this. */
export function introspectionSource(responseName: string): string {
  return `introspection ${responseName}`;
}

/**
 * Compiles what the response to an operation looks like. It follows the operation as the client sent it;
 * conditions are decided already, and types behind interfaces and unions are worked out when they first occur.
 *
 * @param start what is looked at instead of the whole operation
 */
export function compileShape(
  options: ShapeOptions,
  start?: { type: GraphQLCompositeType; set: SelectionSetNode },
): ObjectShape {
  const { schema, operation } = options;

  const compileFields = (
    type: GraphQLObjectType | GraphQLInterfaceType,
    selections: readonly Selections[],
    all: readonly Selections[] | null,
  ): FieldsShape => {
    const collected = collectFields(type, selections, options);
    const whole = all && collectWithDeferred(type, all, options);
    const fields = [...collected.fields].flatMap(([name, field]) => {
      const inWhole = whole?.get(name);
      // Another part shows it: this one must not put null in its place.
      if (field.denied && inWhole?.denied === false) return [];
      return compileField(type, { name, ...field, all: inWhole?.inner ?? null }) ?? [];
    });
    return {
      fields,
      costly: fields.filter(({ cost }) => cost !== null),
      weight: options.costs?.ofType(type) ?? 0,
      deferred: [...collected.deferred].map(([planLabel, { label, sets }]) => {
        return { planLabel, label, object: compileObject(type, sets, all ?? selections) };
      }),
    };
  };

  const compileField = (
    type: GraphQLObjectType | GraphQLInterfaceType,
    { name, node, denied, reported, inner, all }: CollectedField & { name: string; all: readonly Selections[] | null },
  ): FieldShape | null => {
    const fieldName = node.name.value;
    const common = { name, denied, reported, coordinate: `${type.name}.${fieldName}` };
    if (fieldName === '__typename') {
      const constant = isObjectType(type) ? type.name : null;
      return { ...common, source: NOWHERE, value: { kind: 'any' }, nonNull: true, constant, cost: null };
    }
    if (fieldName === '__schema' || fieldName === '__type') {
      const source = introspectionSource(name);
      return {
        ...common,
        source,
        value: { kind: 'any' },
        nonNull: fieldName === '__schema',
        constant: null,
        cost: null,
      };
    }
    const field: GraphQLField<unknown, unknown> | undefined = fieldOf(type, fieldName);
    if (field === undefined) return null;
    return {
      ...common,
      source: options.sourceOf(node),
      value: compileValue(field.type, inner, all),
      nonNull: isNonNullType(field.type),
      constant: null,
      cost: denied ? null : (options.costs?.ofField(type, field, node) ?? null),
    };
  };

  const compileValue = (
    type: GraphQLOutputType,
    inner: readonly Selections[],
    all: readonly Selections[] | null,
  ): ValueShape => {
    if (isNonNullType(type)) return compileValue(type.ofType, inner, all);
    if (isListType(type)) {
      return { kind: 'list', item: compileValue(type.ofType, inner, all), itemNonNull: isNonNullType(type.ofType) };
    }
    if (isLeafType(type)) return { kind: 'leaf', type: type.name, serialize: leafSerializer(type) };
    const named = getNamedType(type);
    return isCompositeType(named) ? { kind: 'object', object: compileObject(named, inner, all) } : { kind: 'any' };
  };

  /** `all`, of what is delivered later: the selections of all parts on the same objects. */
  const compileObject = (
    type: GraphQLCompositeType,
    selections: readonly Selections[],
    all: readonly Selections[] | null,
  ): ObjectShape => {
    if (isObjectType(type)) {
      let fields: FieldsShape | null = null;
      const isRoot = ROOTS.some((root) => schema.getRootType(root) === type);
      return {
        type,
        typeNames: [type.name],
        // A root type may carry another name in a subgraph.
        fieldsOf: (runtimeType) =>
          runtimeType === type.name || runtimeType === undefined || isRoot
            ? (fields ??= compileFields(type, selections, all))
            : null,
      };
    }
    const possible = new Map(schema.getPossibleTypes(type).map((each) => [each.name, each]));
    const known = new Map<string, FieldsShape>();
    return {
      type,
      typeNames: [...possible.keys()],
      fieldsOf(runtimeType) {
        // A subgraph that has the interface as an object knows no more of it, and nothing more may have been asked for.
        const name = runtimeType === undefined && isInterfaceType(type) ? type.name : String(runtimeType);
        let fields = known.get(name);
        if (fields === undefined) {
          const runtime = possible.get(name) ?? (isInterfaceType(schema.getType(name)) ? type : undefined);
          if (runtime === undefined || isUnionType(runtime)) return null;
          fields = compileFields(runtime, selections, all);
          known.set(name, fields);
        }
        return fields;
      },
    };
  };

  const type = start?.type ?? schema.getRootType(operation.operation);
  if (!type) throw new Error(`The schema has no type for a ${operation.operation}.`);
  return compileObject(type, [{ set: start?.set ?? operation.selectionSet, denied: false }], null);
}
