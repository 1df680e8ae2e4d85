import { describe, expect, test } from 'vitest';
import { conformanceGraph } from './harness/conformance-graph.ts';
import type { Args } from './harness/domain.ts';
import { expectSame } from './harness/expect-same.ts';

const graph = conformanceGraph({
  subgraphs: {
    products: /* GraphQL */ `
      type Query {
        product: Product
        products: [Product!]!
      }
      enum Currency {
        EUR
        USD
        JPY
      }
      type Product @key(fields: "upc") {
        upc: ID!
        price(currency: Currency! = EUR): Int
        weight: Int
        size: Size
        parts(first: Int! = 2): [Piece!]!
        label: Label
        rating: Float
      }
      type Size {
        height: Int!
        width: Int!
      }
      type Piece @key(fields: "id") {
        id: ID!
        name: String
      }
      union Label = Text | Picture
      type Text {
        text: String!
      }
      type Picture {
        url: String!
      }
    `,
    shipping: /* GraphQL */ `
      enum Currency {
        EUR
        USD
        JPY
      }
      type Product @key(fields: "upc") {
        upc: ID!
        price(currency: Currency! = EUR): Int @external
        weight: Int @external
        size: Size @external
        parts(first: Int! = 2): [Piece!]! @external
        label: Label @external
        estimate: String @requires(fields: "weight")
        volume(scale: Int! = 1): Int @requires(fields: "size { height width }")
        duty: String @requires(fields: "price(currency: USD) weight")
        tax: String @requires(fields: "price(currency: JPY)")
        bill: String @requires(fields: "parts(first: 3) { name }")
        sign: String @requires(fields: "label { ... on Text { text } ... on Picture { url } }")
        total: String @requires(fields: "surcharge")
        surcharge: Int @external
      }
      type Size @external {
        height: Int!
        width: Int!
      }
      type Piece @key(fields: "id") {
        id: ID!
        name: String @external
      }
      union Label = Text | Picture
      type Text @external {
        text: String!
      }
      type Picture @external {
        url: String!
      }
    `,
    fees: /* GraphQL */ `
      enum Currency {
        EUR
        USD
        JPY
      }
      type Product @key(fields: "upc") {
        upc: ID!
        estimate: String @external
        price(currency: Currency! = EUR): Int @external
        surcharge: Int @requires(fields: "estimate")
        fee: String @requires(fields: "price")
      }
    `,
  },
  domain() {
    const rates = new Map([
      ['EUR', 1],
      ['USD', 2],
      ['JPY', 100],
    ]);
    const product = (upc: string, euros: number, more: object = {}) => ({
      __typename: 'Product',
      upc,
      price: ({ currency }: Args) => euros * (rates.get(String(currency)) ?? Number.NaN),
      weight: euros * 3,
      size: { __typename: 'Size', height: euros, width: 2 },
      parts: ({ first }: Args) =>
        Array.from({ length: Number(first) }, (_, i) => ({
          __typename: 'Piece',
          id: `${upc}-${i}`,
          name: `Piece ${i}`,
        })),
      label: { __typename: 'Text', text: `Label of ${upc}` },
      rating: 4.5,
      ...more,
    });
    const products = [
      product('u1', 10),
      product('u2', 20, { label: { __typename: 'Picture', url: 'https://pictures.example/2' } }),
      product('u3', 30, { weight: null, label: null, size: null }),
    ];
    return {
      roots: { Query: { product: products[0], products } },
      records: products,
      computed: {
        'Product.estimate': ({ weight }) => `weighs ${String(weight)}`,
        'Product.volume': ({ size }, { scale }) => sizeOf(size) * Number(scale),
        'Product.duty': ({ price, weight }) => `${String(price)} dollars, ${String(weight)}`,
        'Product.tax': ({ price }) => `${String(price)} yen`,
        'Product.fee': ({ price }) => `${String(price)} euros`,
        'Product.bill': ({ parts }) => JSON.stringify(parts, ['name']),
        'Product.sign': ({ label }) => JSON.stringify(label, ['text', 'url']),
        'Product.surcharge': ({ estimate }) => String(estimate).length,
        'Product.total': ({ surcharge }) => `and ${String(surcharge)} more`,
      },
    };
  },
});

function sizeOf(size: unknown): number {
  if (typeof size !== 'object' || size === null) return 0;
  return Object.values(size).reduce<number>(
    (product, side) => (typeof side === 'number' ? product * side : product),
    1,
  );
}

describe('@requires', () => {
  test.each([
    ['a field', '{ products { estimate } }'],
    ['fields of an object', '{ products { volume } }'],
    ['a field with an argument', '{ products { duty } }'],
    ['a field with the default of its argument', '{ products { fee } }'],
    ['a list with an argument, of another entity', '{ products { bill } }'],
    ['members of a union', '{ products { sign } }'],
    ['a field that itself requires', '{ products { surcharge } }'],
    ['all at once', '{ products { estimate volume bill sign surcharge } }'],
  ])('%s', async (_name, query) => {
    await expectSame(graph(), query);
  });

  test('fetches what is required and does not show it', async () => {
    const { data, calls } = await expectSame(graph(), '{ product { estimate } }');
    expect(calls.map(({ subgraph }) => subgraph)).toEqual(['products', 'shipping']);
    expect(data).toEqual({ product: { estimate: 'weighs 30' } });
  });

  test('has arguments of its own', async () => {
    await expectSame(
      graph(),
      'query ($s: Int!) { products { big: volume(scale: $s) volume huge: volume(scale: 9) } }',
      {
        variables: { s: 3 },
      },
    );
  });
});

describe('what a client asks of a required field', () => {
  test.each([
    '{ product { price(currency: EUR) duty } }',
    '{ product { price duty } }',
    '{ product { price: weight duty } }',
    '{ product { p: price(currency: JPY) price(currency: USD) duty weight } }',
    '{ products { fee price(currency: JPY) } }',
    '{ products { bill parts(first: 1) { id } } }',
    '{ products { parts(first: 1) { id: name } bill } }',
    '{ products { size: rating volume size_: size { height } } }',
    '{ products { size { height: width } volume } }',
    '{ products { weight: upc upc: weight estimate } }',
    '{ products { sign label { ... on Text { url: text } ... on Picture { text: url } } } }',
    'fragment P on Product { price(currency: JPY) } { products { ...P duty ... on Product { ...P bill } } }',
  ])('is not mixed up with what is required: %s', async (query) => {
    await expectSame(graph(), query);
  });

  test('may be given by a variable', async () => {
    const query =
      'query ($n: Int! = 1, $c: Currency!) { products { bill parts(first: $n) { name } price(currency: $c) duty } }';
    await expectSame(graph(), query, { variables: { c: 'JPY' } });
    await expectSame(graph(), query, { variables: { c: 'USD', n: 3 } });
  });
});

describe('two fields that require one field with different arguments', () => {
  test.each(['{ products { duty tax } }', '{ products { tax duty fee price(currency: EUR) estimate } }'])(
    'each get theirs: %s',
    async (query) => {
      await expectSame(graph(), query);
    },
  );
});
