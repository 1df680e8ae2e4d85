import { Supergraph, operationFromDocument } from '@apollo/federation-internals';
import { QueryPlanner } from '@apollo/query-planner';
import { parse } from 'graphql';
import { expect, test } from 'vitest';
import { loadSupergraph } from '../supergraph/load-supergraph.ts';
import { conformanceGraph } from './harness/conformance-graph.ts';
import { expectSame } from './harness/expect-same.ts';

/* Fields that require fields that require fields. The chains go back and forth between the subgraphs. */

const graph = conformanceGraph({
  subgraphs: {
    catalog: /* GraphQL */ `
      type Query {
        product: Product
        products: [Product!]!
      }
      type Mutation {
        restock: Product
        reprice: Product
      }
      type Product @key(fields: "upc") @key(fields: "sku") {
        upc: ID!
        sku: ID!
        weight: Int
        rate: Int @external
        quote(currency: String = "EUR"): Quote @requires(fields: "rate")
        vendor: Vendor
      }
      type Quote {
        text: String
        vendor: Vendor
      }
      type Vendor @key(fields: "id") {
        id: ID!
      }
    `,
    shipping: /* GraphQL */ `
      type Product @key(fields: "upc") {
        upc: ID!
        weight: Int @external
        surcharge: Int @external
        quote(currency: String = "EUR"): Quote @external
        fee: String @external
        estimate: String @requires(fields: "weight")
        carrier: String
        next: Product
        total(of: Int = 1): String @requires(fields: "surcharge")
        label: String @requires(fields: "quote { text } fee")
      }
      type Quote @external {
        text: String
      }
      type Vendor @key(fields: "id") {
        id: ID!
        name: String
      }
    `,
    fees: /* GraphQL */ `
      type Product @key(fields: "upc") {
        upc: ID!
        estimate: String @external
        label: String @external
        rate: Int
        surcharge: Int @requires(fields: "estimate")
        fee: String @requires(fields: "estimate")
        invoice: String @requires(fields: "label")
      }
    `,
  },
  domain() {
    const vendors = [1, 2].map((id) => ({ __typename: 'Vendor', id: `v${id}`, name: `Vendor ${id}` }));
    const products = [1, 2, 3].map((n) => ({
      __typename: 'Product',
      upc: `u${n}`,
      sku: `s${n}`,
      weight: n === 3 ? null : 10 * n,
      rate: n,
      vendor: vendors[n % 2],
      carrier: `Carrier ${n}`,
      next: (): unknown => products[n] ?? null,
    }));
    return {
      roots: {
        Query: { product: products[0], products },
        Mutation: { restock: products[0], reprice: products[1] },
      },
      records: [...products, ...vendors],
      computed: {
        'Product.quote': ({ rate }, { currency }) => ({
          __typename: 'Quote',
          text: `at ${String(rate)} ${String(currency)}`,
          vendor: vendors[0],
        }),
        'Product.estimate': ({ weight }) => `weighs ${String(weight)}`,
        'Product.surcharge': ({ estimate }) => String(estimate).length,
        'Product.fee': ({ estimate }) => `fee as it ${String(estimate)}`,
        'Product.total': ({ surcharge }, { of }) => `${String(of)} and ${String(surcharge)} more`,
        'Product.label': ({ quote, fee }) => `${JSON.stringify(quote, ['text'])}, ${String(fee)}`,
        'Product.invoice': ({ label }) => `to pay: ${String(label)}`,
      },
    };
  },
});

test.each([
  '{ products { total } }',
  '{ product { surcharge total weight } }',
  '{ products { label } }',
  '{ products { invoice } }',
  '{ products { invoice total estimate carrier quote { text vendor { name } } } }',
  '{ products { a: total(of: 2) b: total(of: 3) ... on Product { total } upc: sku } }',
  'query ($c: String) { products { invoice quote(currency: $c) { text vendor { id name } } } }',
  '{ products { total next { label next { invoice total } } vendor { name } } }',
  '{ product { next { total } } products { next { invoice } } }',
  'mutation { restock { total } reprice { invoice carrier } }',
  '{ products { ...P } } fragment P on Product { total vendor { ...V } quote { vendor { ...V } } } fragment V on Vendor { id name }',
])('%s', async (query) => {
  await expectSame(graph(), query, query.includes('$c') ? { variables: { c: 'USD' } } : {});
});

test.each([true, false])('with conditions: %s', async (yes) => {
  const query = `query ($yes: Boolean!) {
    products { total @include(if: $yes) ... @skip(if: $yes) { invoice } carrier }
  }`;
  await expectSame(graph(), query, { variables: { yes } });
});

test("a plan in which nothing is asked for too early is the planner's own", async () => {
  const { supergraph } = graph();
  const loaded = await loadSupergraph(supergraph);
  const built = Supergraph.build(supergraph);
  const planner = new QueryPlanner(built, { incrementalDelivery: { enableDefer: true } });
  const planned = (query: string) => planner.buildQueryPlan(operationFromDocument(built.apiSchema(), parse(query)));
  for (const query of ['{ products { estimate carrier } }', '{ products { surcharge } }']) {
    expect(JSON.parse(JSON.stringify(await loaded.plan(query)))).toEqual(JSON.parse(JSON.stringify(planned(query))));
  }
  loaded.unload();
});
