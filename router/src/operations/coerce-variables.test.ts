import { buildSchema, getVariableValues, Kind, parse } from 'graphql';
import type { OperationDefinitionNode } from 'graphql';
import { expect, test } from 'vitest';
import { createVariableCoercion } from './coerce-variables.ts';
import { OperationRefused } from './refusal.ts';

const schema = buildSchema(/* GraphQL */ `
  enum Tone {
    WARM
    COLD
  }
  input Range {
    from: Int!
    to: Int = 10
    tone: Tone
  }
  scalar Anything
  type Query {
    find(id: ID, in: [Range!], tone: Tone, any: Anything, rate: Float): Int
  }
`);

function operationOf(declarations: string): OperationDefinitionNode {
  const [operation] = parse(`query Q(${declarations}) { find }`).definitions;
  if (operation?.kind !== Kind.OPERATION_DEFINITION) throw new Error('This is no operation.');
  return operation;
}

const coerce = createVariableCoercion(schema);

test.each([
  ['$id: ID!', { id: 7 }],
  ['$id: ID', {}],
  ['$id: ID', { id: null, other: 1 }],
  ['$id: ID = "a"', {}],
  ['$id: ID = "a"', { id: null }],
  ['$ids: [Range!]', { ids: { from: 1 } }],
  ['$ids: [Range!]! = [{ from: 2 }]', {}],
  [
    '$ids: [Range!]!',
    {
      ids: [
        { from: 1, to: null },
        { from: 2, tone: 'COLD' },
      ],
    },
  ],
  ['$tone: Tone! = WARM, $any: Anything, $rate: Float', { any: { of: ['kind'] }, rate: 1 }],
  ['$__proto__: Int, $constructor: Int', { constructor: 3 }],
])('%s takes %o as graphql-js does', (declarations, variables) => {
  const operation = operationOf(declarations);
  const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
  expect(coerced).toBeDefined();
  // The second time by what is known of the operation.
  for (const _ of [1, 2]) expect(coerce(operation, variables)).toEqual(coerced);
});

test('what a default gives is nobody else’s to change', () => {
  const operation = operationOf('$ids: [Range!]! = [{ from: 2 }]');
  expect(coerce(operation, {})['ids']).not.toBe(coerce(operation, {})['ids']);
});

test.each([
  ['$id: ID!', {}],
  ['$id: ID!', { id: null }],
  ['$id: ID!', { id: true }],
  ['$ids: [Range!]!', { ids: [null, { from: 'x' }, { to: 1 }, { from: 1, more: 2 }] }],
  ['$tone: Tone, $rate: Float', { tone: 'HOT', rate: 'fast' }],
  ['$ids: [Range!]', { ids: Array.from({ length: 30 }, () => null) }],
])('%s refuses %o with what graphql-js says', (declarations, variables) => {
  const operation = operationOf(declarations);
  const options = { maxErrors: 20, hideSuggestions: true };
  const { errors } = getVariableValues(schema, operation.variableDefinitions ?? [], variables, options);
  for (const _ of [1, 2]) {
    const refused = (() => {
      try {
        return coerce(operation, variables);
      } catch (error) {
        return error;
      }
    })();
    expect(refused).toBeInstanceOf(OperationRefused);
    expect(refused).toMatchObject({
      errors: errors?.map(({ message }) => ({ message, extensions: { code: 'BAD_USER_INPUT' } })),
    });
  }
});
