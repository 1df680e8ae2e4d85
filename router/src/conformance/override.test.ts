import { describe, expect, test } from 'vitest';
import { conformanceGraph } from './harness/conformance-graph.ts';
import { expectSame } from './harness/expect-same.ts';

const graph = conformanceGraph({
  subgraphs: {
    old: /* GraphQL */ `
      type Query {
        bill: Bill
        latest: Bill
      }
      type Bill @key(fields: "id") {
        id: ID!
        amount: Int
        payer: Payer
        due: String
        moving: String
        moved: String
      }
      type Payer @key(fields: "id") {
        id: ID!
        name: String @shareable
      }
    `,
    fresh: /* GraphQL */ `
      type Query {
        latest: Bill @override(from: "old")
      }
      type Bill @key(fields: "id") {
        id: ID!
        amount: Int @override(from: "old")
        payer: Payer @override(from: "old")
        due: String @override(from: "old") @requires(fields: "terms")
        terms: Int @external
        moving: String @override(from: "old", label: "percent(0)")
        moved: String @override(from: "old", label: "percent(100)")
      }
      type Payer @key(fields: "id") {
        id: ID!
        name: String @shareable
      }
    `,
    terms: /* GraphQL */ `
      type Bill @key(fields: "id") {
        id: ID!
        terms: Int
      }
    `,
  },
  domain() {
    const payer = { __typename: 'Payer', id: 'p1', name: 'Ada' };
    const bill = { __typename: 'Bill', id: 'b1', amount: 12, payer, terms: 30, moving: 'still here', moved: 'gone' };
    return {
      roots: { Query: { bill, latest: bill } },
      records: [bill, payer],
      computed: { 'Bill.due': ({ terms }) => `in ${String(terms)} days` },
    };
  },
});

const subgraphsOf = ({ calls }: { calls: { subgraph: string }[] }) => calls.map(({ subgraph }) => subgraph);

// The subgraph that a field was taken from fails when it is asked for it.
describe('@override', () => {
  test('a field of an entity', async () => {
    expect(subgraphsOf(await expectSame(graph(), '{ bill { id amount } }'))).toEqual(['old', 'fresh']);
  });

  test('a root field', async () => {
    expect(subgraphsOf(await expectSame(graph(), '{ latest { id amount payer { name } } }'))).toEqual(['fresh']);
  });

  test('a field that requires others', async () => {
    expect(subgraphsOf(await expectSame(graph(), '{ bill { due } }'))).toEqual(['old', 'terms', 'fresh']);
  });

  test('a field on its way, with a label that is not in force, stays where it was', async () => {
    expect(subgraphsOf(await expectSame(graph(), '{ bill { moving } }'))).toEqual(['old']);
  });

  test('a field on its way, with a label that is in force, has moved', async () => {
    expect(subgraphsOf(await expectSame(graph(), '{ bill { moved moving } }'))).toEqual(['old', 'fresh']);
  });
});
