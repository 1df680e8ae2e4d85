import fc from 'fast-check';
import {
  doTypesOverlap,
  GraphQLBoolean,
  GraphQLFloat,
  GraphQLInt,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredArgument,
  isRequiredInputField,
  isUnionType,
  getNamedType,
  OperationTypeNode,
} from 'graphql';
import type { GraphQLCompositeType, GraphQLField, GraphQLInputType, GraphQLSchema } from 'graphql';
import type { Operation } from './expect-same.ts';
import { writeQuery } from './write-query.ts';
import type { Condition, DraftArgument, DraftField, DraftSelection } from './write-query.ts';

const DEPTH = 5;
/** Names that an alias may have besides those of fields. */
const FREE_NAMES = ['x', 'y', 'z'];

export interface RandomQueryOptions {
  /** Default: queries. Of a subscription, one field at the root and nothing else. */
  operation?: OperationTypeNode;
  /** Of the operation. */
  name?: string;
  /** Whether fragments may be deferred; default not. */
  defer?: boolean;
  /** Fields below one another, at most; default 5. */
  depth?: number;
}

/** Valid operations on a schema, with everything that one may have. They shrink. */
export function randomQuery(schema: GraphQLSchema, options: RandomQueryOptions = {}): fc.Arbitrary<Operation> {
  const { operation = OperationTypeNode.QUERY, name: operationName, defer = false, depth: levels = DEPTH } = options;
  const query = schema.getRootType(operation);
  if (query === null || query === undefined) throw new Error(`The schema has no ${operation}.`);
  const composites = Object.values(schema.getTypeMap()).filter(
    (type): type is GraphQLCompositeType => isCompositeType(type) && !type.name.startsWith('__'),
  );
  const names = composites.flatMap((type) => fieldsOf(type).map(({ name }) => name));
  const alias = fc.option(fc.constantFrom(...new Set(names), ...FREE_NAMES), { freq: 2 });
  const made = new Map<string, fc.Arbitrary<DraftSelection[]>>();

  function selections(type: GraphQLCompositeType, depth: number): fc.Arbitrary<DraftSelection[]> {
    const known = made.get(`${type.name} ${depth}`);
    if (known !== undefined) return known;
    const choices: { weight: number; arbitrary: fc.Arbitrary<DraftSelection> }[] = [];
    const isSubscribed = type === query && operation === OperationTypeNode.SUBSCRIPTION;
    if (!isSubscribed) choices.push({ weight: 1, arbitrary: field('__typename', [], fc.constant(null)) });
    for (const definition of fieldsOf(type)) {
      const inner = getNamedType(definition.type);
      if (!isCompositeType(inner))
        choices.push({ weight: 4, arbitrary: field(definition.name, definition.args, fc.constant(null)) });
      else if (depth > 1) {
        const set = lazily(() => selections(inner, depth - 1)).map((list) => ({ type: inner.name, selections: list }));
        choices.push({ weight: type === query ? 6 : 3, arbitrary: field(definition.name, definition.args, set) });
      }
    }
    if (depth > 1 && !isSubscribed) {
      for (const other of composites.filter((candidate) => doTypesOverlap(schema, candidate, type))) {
        const set = lazily(() => selections(other, depth - 1));
        choices.push({ weight: other === type ? 2 : 3, arbitrary: fragment(other.name, set) });
      }
      choices.push({
        weight: 1,
        arbitrary: fragment(
          null,
          lazily(() => selections(type, depth - 1)),
        ),
      });
      choices.push({ weight: 1, arbitrary: fc.record({ kind: fc.constant('repeat'), of: fc.nat(20) }) });
    }
    const maxLength = isSubscribed ? 1 : depth > 3 ? 4 : 3;
    const set = fc.array(fc.oneof(...choices), { minLength: 1, maxLength });
    made.set(`${type.name} ${depth}`, set);
    return set;
  }

  const field = (
    name: string,
    args: GraphQLField<unknown, unknown>['args'],
    inner: fc.Arbitrary<DraftField['inner']>,
  ): fc.Arbitrary<DraftSelection> =>
    fc.record({
      kind: fc.constant('field'),
      name: fc.constant(name),
      alias,
      args: fc.tuple(...args.map(argument)).map((given) => given.filter((arg) => arg !== null)),
      // A subscription's field may not be left out.
      conditions: operation === OperationTypeNode.SUBSCRIPTION ? fc.constant([]) : conditions,
      inner,
    });

  const fragment = (on: string | null, set: fc.Arbitrary<DraftSelection[]>): fc.Arbitrary<DraftSelection> =>
    fc.record({
      kind: fc.constant('fragment'),
      on: fc.constant(on),
      named: on === null ? fc.constant(false) : fc.boolean(),
      conditions: defer ? fc.tuple(conditions, deferred).map((both) => both.flat()) : conditions,
      selections: set,
    });

  return fc
    .record({
      selections: selections(query, levels),
      flags: fc.record({ a: fc.boolean(), b: fc.boolean() }),
    })
    .map((draft) =>
      writeQuery(schema, { ...draft, operation, ...(operationName === undefined ? {} : { name: operationName }) }),
    );
}

const deferred: fc.Arbitrary<Condition[]> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Condition[]>([]) },
  { weight: 1, arbitrary: fc.tuple(fc.record({ directive: fc.constant('defer'), value: fc.constantFrom(true, 'a') })) },
);

const conditions: fc.Arbitrary<Condition[]> = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Condition[]>([]) },
  {
    weight: 1,
    arbitrary: fc.uniqueArray(
      fc.record({ directive: fc.constantFrom('skip', 'include'), value: fc.constantFrom(true, false, 'a', 'b') }),
      { minLength: 1, maxLength: 2, selector: ({ directive }) => directive },
    ),
  },
);

function argument(definition: GraphQLField<unknown, unknown>['args'][number]): fc.Arbitrary<DraftArgument | null> {
  const given = fc.record({
    name: fc.constant(definition.name),
    type: fc.constant(definition.type),
    value: value(definition.type, 2),
    byVariable: fc.boolean(),
  });
  return isRequiredArgument(definition) ? given : fc.option(given);
}

function value(type: GraphQLInputType, depth: number): fc.Arbitrary<unknown> {
  if (isNonNullType(type)) return present(type.ofType, depth);
  return fc.option(present(type, depth), { freq: 6 });
}

function present(type: GraphQLInputType, depth: number): fc.Arbitrary<unknown> {
  if (isNonNullType(type)) return present(type.ofType, depth);
  if (isListType(type)) return fc.array(value(type.ofType, depth), { maxLength: 2 });
  if (isEnumType(type)) return fc.constantFrom(...type.getValues().map(({ name }) => name));
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields()).filter((field) => depth > 0 || !isInputObjectType(field.type));
    const arbitraries = fields.map((field) => [field.name, value(field.type, depth - 1)] as const);
    const requiredKeys = fields.filter(isRequiredInputField).map(({ name }) => name);
    return fc.record(Object.fromEntries(arbitraries), { requiredKeys });
  }
  if (type === GraphQLInt) return fc.integer({ min: 0, max: 3 });
  if (type === GraphQLFloat) return fc.integer({ min: 0, max: 3 });
  if (type === GraphQLBoolean) return fc.boolean();
  return fc.constantFrom('all', 'new', 'u1', 'b2', 'nobody', '');
}

function fieldsOf(type: GraphQLCompositeType): GraphQLField<unknown, unknown>[] {
  return isUnionType(type) ? [] : Object.values(type.getFields());
}

/** Types refer to one another: what is made of a type is made when it is drawn. */
function lazily<Value>(make: () => fc.Arbitrary<Value>): fc.Arbitrary<Value> {
  return fc.constant(null).chain(make);
}
