import { operationFromDocument, Supergraph } from '@apollo/federation-internals';
import { QueryPlanner } from '@apollo/query-planner';
import { parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import { conformanceGraph } from './harness/conformance-graph.ts';
import type { Args } from './harness/domain.ts';
import { expectSame } from './harness/expect-same.ts';

const graph = conformanceGraph({
  subgraphs: {
    left: /* GraphQL */ `
      type Query {
        thing: Thing
        things: [Thing!]
      }
      type Mutation {
        add(by: Int!): Counter!
        reset: Int
      }
      type Counter {
        value: Int!
        thing: Thing
      }
      type Thing @key(fields: "id") {
        id: ID!
        name: String
      }
    `,
    right: /* GraphQL */ `
      type Query {
        other: Int
      }
      type Mutation {
        multiply(by: Int!): Int
      }
      type Thing @key(fields: "id") {
        id: ID!
        name: String @external
        size: Int
        loud: String @requires(fields: "name")
      }
    `,
    third: /* GraphQL */ `
      type Thing @key(fields: "id") {
        id: ID!
        color: String
      }
    `,
  },
  domain() {
    let count = 1;
    const things = ['a', 'b'].map((id) => ({
      __typename: 'Thing',
      id,
      name: `Thing ${id}`,
      size: id.charCodeAt(0),
      color: 'red',
    }));
    const counter = () => ({ __typename: 'Counter', value: count, thing: things[0] });
    return {
      roots: {
        Query: { thing: things[0], things, other: 3 },
        Mutation: {
          add({ by }: Args) {
            count += Number(by);
            return counter();
          },
          multiply: ({ by }: Args) => (count *= Number(by)),
          reset: () => (count = 1),
        },
      },
      records: things,
      computed: { 'Thing.loud': ({ name }) => String(name).toUpperCase() },
    };
  },
});

function nodesOf(query: string): Set<string> {
  const supergraph = Supergraph.build(graph().supergraph);
  const planner = new QueryPlanner(supergraph, { incrementalDelivery: { enableDefer: true } });
  const plan = planner.buildQueryPlan(operationFromDocument(supergraph.apiSchema(), parse(query)));
  return new Set([...JSON.stringify(plan).matchAll(/"kind":"([A-Z]\w+)"/g)].map(([, kind = '']) => kind));
}

describe('plans with', () => {
  test.each<[string, string, Record<string, unknown>[]]>([
    ['Fetch', '{ thing { name } }', [{}]],
    ['Flatten', '{ things { name size } }', [{}]],
    ['Sequence', '{ things { loud } }', [{}]],
    ['Parallel', '{ thing { size color } other }', [{}]],
    [
      'Condition',
      'query ($a: Boolean!) { thing { id ... @include(if: $a) { size color } } }',
      [{ a: true }, { a: false }],
    ],
    ['Condition', 'query ($a: Boolean!) { things { id ... @skip(if: $a) { loud } } }', [{ a: true }, { a: false }]],
  ])('%s: %s', async (kind, query, values) => {
    expect(nodesOf(query)).toContain(kind);
    for (const variables of values) await expectSame(graph(), query, { variables });
  });
});

describe('mutations', () => {
  test('run one after the other, whichever subgraphs they are of', async () => {
    const query =
      'mutation { a: add(by: 2) { value } multiply(by: 5) b: add(by: 1) { value thing { name size } } c: multiply(by: 2) }';
    const { data, calls } = await expectSame(graph(), query);
    expect(data).toMatchObject({ a: { value: 3 }, multiply: 15, b: { value: 16 }, c: 32 });
    expect(calls.filter(({ query: text }) => text.startsWith('mutation'))).toHaveLength(4);
  });

  test('of one subgraph are sent together, in their order', async () => {
    await expectSame(
      graph(),
      'mutation ($n: Int!) { reset add(by: $n) { value thing { loud } } x: add(by: 1) { value } }',
      {
        variables: { n: 4 },
      },
    );
  });

  test('may be fragments with conditions', async () => {
    const query =
      'mutation ($a: Boolean!) { reset ...M @include(if: $a) add(by: 1) { value } } fragment M on Mutation { multiply(by: 7) }';
    for (const a of [true, false]) await expectSame(graph(), query, { variables: { a } });
  });
});
