import { describe, expect, test } from 'vitest';
import { conformanceGraph } from './harness/conformance-graph.ts';
import { expectSame } from './harness/expect-same.ts';

const graph = conformanceGraph({
  subgraphs: {
    shop: /* GraphQL */ `
      type Query {
        thing: Thing
        things: [Thing]
        grid: [[Thing!]!]!
        order: Order
        part: Part
        account: Account
      }
      type Thing @key(fields: "id") {
        id: ID!
        legacyId: ID
        title: String
      }
      type Order @key(fields: "number place { code floor }") {
        number: Int!
        place: Place! @shareable
        total: Int
      }
      type Place {
        code: String! @shareable
        floor: Int! @shareable
      }
      type Part @key(fields: "id") {
        id: ID!
      }
      type Account @key(fields: "id") {
        id: ID!
        login: String! @shareable
        realm: Realm! @shareable
      }
      type Realm @shareable {
        name: String!
      }
    `,
    stock: /* GraphQL */ `
      type Thing @key(fields: "id") {
        id: ID!
        left: Int
        twin: Thing
        maker: Maker
      }
      type Order @key(fields: "number place { code floor }") {
        number: Int!
        place: Place! @shareable
        packed: Boolean
      }
      type Place {
        code: String! @shareable
        floor: Int! @shareable
      }
      type Part @key(fields: "id") @key(fields: "sku") {
        id: ID!
        sku: String!
      }
      # What the other subgraph knows of it is reached by a key that this one does not resolve.
      type Maker @key(fields: "name", resolvable: false) {
        name: String!
      }
    `,
    makers: /* GraphQL */ `
      type Part @key(fields: "sku") {
        sku: String!
        weight: Float
      }
      type Maker @key(fields: "name") {
        name: String!
        country: String
      }
      type Account @key(fields: "login realm { name }", resolvable: false) @key(fields: "id") {
        id: ID!
        login: String! @shareable
        realm: Realm! @shareable
        greeting: String @requires(fields: "motto")
        motto: String @external
      }
      type Realm @shareable {
        name: String!
      }
    `,
    mottos: /* GraphQL */ `
      type Account @key(fields: "id") {
        id: ID!
        motto: String
      }
    `,
  },
  domain() {
    const maker = { __typename: 'Maker', name: 'Acme', country: 'NL' };
    const thing = (id: number, more: object = {}) => ({
      __typename: 'Thing',
      id,
      legacyId: `old-${id}`,
      title: `Thing ${id}`,
      left: id * 10,
      maker,
      ...more,
    });
    const first = thing(1);
    const second = thing(2, { twin: first });
    const unknown = { __typename: 'Thing', id: 404, title: 'Known to one subgraph only' };
    const order = {
      __typename: 'Order',
      number: 7,
      place: { __typename: 'Place', code: 'A', floor: 3 },
      total: 99,
      packed: true,
    };
    const part = { __typename: 'Part', id: 'p1', sku: 'sku-1', weight: 1.5 };
    const realm = { __typename: 'Realm', name: 'staff' };
    const account = { __typename: 'Account', id: 'a1', login: 'ada', realm, motto: 'Onwards' };
    return {
      roots: {
        Query: {
          thing: first,
          things: [first, second, null, first, unknown],
          grid: [[first, second], [], [second]],
          order,
          part,
          account,
        },
      },
      records: [first, second, order, part, maker, account],
      computed: { 'Account.greeting': ({ motto }) => `${String(motto)}!` },
    };
  },
});

const subgraphsOf = ({ calls }: { calls: { subgraph: string }[] }) => calls.map(({ subgraph }) => subgraph);

describe('a key', () => {
  test('leads from one subgraph to another', async () => {
    expect(subgraphsOf(await expectSame(graph(), '{ thing { title left } }'))).toEqual(['shop', 'stock']);
  });

  test('may be composite and nested', async () => {
    expect(subgraphsOf(await expectSame(graph(), '{ order { total packed } }'))).toEqual(['shop', 'stock']);
  });

  test('may be reached through a subgraph that knows two keys', async () => {
    expect(subgraphsOf(await expectSame(graph(), '{ part { weight } }'))).toEqual(['shop', 'stock', 'makers']);
  });

  test('that its subgraph does not resolve is a reference to another subgraph', async () => {
    expect(subgraphsOf(await expectSame(graph(), '{ thing { maker { country } } }'))).toEqual([
      'shop',
      'stock',
      'makers',
    ]);
  });

  test('that a subgraph does not resolve is not what it is called with', async () => {
    await expectSame(graph(), '{ account { login greeting } }');
  });
});

describe('entities', () => {
  test('of a list are fetched at once, a repeated one among them, nulls left out', async () => {
    const { calls } = await expectSame(graph(), '{ things { id left twin { left title } } }');
    expect(calls.filter(({ subgraph }) => subgraph === 'stock')).toHaveLength(1);
  });

  test('that a subgraph does not know have its fields null', async () => {
    const { data } = await expectSame(graph(), '{ things { title left } }');
    expect(data).toMatchObject({ things: { 4: { title: 'Known to one subgraph only', left: null } } });
  });

  test('in lists of lists, empty ones too', async () => {
    await expectSame(graph(), '{ grid { id left maker { country } } }');
  });

  test('come back to the subgraph where they started', async () => {
    expect(subgraphsOf(await expectSame(graph(), '{ things { twin { title } } }'))).toEqual(['shop', 'stock', 'shop']);
  });

  test('of several aliases of one field are kept apart', async () => {
    await expectSame(
      graph(),
      '{ one: thing { left } two: thing { a: left b: left maker { c: country } } things { left } }',
    );
  });
});

describe('an alias', () => {
  test.each([
    '{ thing { id: legacyId left } }',
    '{ thing { id: title legacyId left } }',
    '{ thing { id: __typename left } }',
    '{ thing { __typename: title left } }',
    '{ thing { key: id left } }',
    '{ thing { id left: title count: left } }',
    '{ things { id: legacyId legacyId: id twin { id: title left } left } }',
    '{ order { number: total total: number packed } }',
    '{ order { place { code: floor floor: code } packed } }',
    '{ order { place: total packed } }',
    '{ part { sku: id id: __typename weight } }',
    '{ thing { maker { name: country country: name } } }',
    '{ account { id: login motto: greeting greeting: id } }',
  ])('that is the name of another field does not reach the keys: %s', async (query) => {
    await expectSame(graph(), query);
  });
});
