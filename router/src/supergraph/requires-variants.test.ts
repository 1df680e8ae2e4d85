import { createIdentitySigner } from '@timbre/platform/identity';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createIdentitySource } from '../auth/identity-source.ts';
import { ANONYMOUS_PRINCIPAL } from '../auth/principal.ts';
import { executeOperation } from '../execution/execute-operation.ts';
import { GENEROUS_LIMITS } from '../limits/operation-limits.ts';
import { createPrepare } from '../operations/prepare-operation.ts';
import { createHttpTransport } from '../subgraphs/http-transport.ts';
import { ANONYMOUS_SESSION } from '../testing/anonymous-session.ts';
import { compose } from '../testing/compose.ts';
import { startPriceGraph } from '../testing/price-graph.ts';
import type { PriceGraph } from '../testing/price-graph.ts';
import { startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import { IDENTITY_SECRET } from '../testing/test-subgraph.ts';
import { loadSupergraph } from './load-supergraph.ts';

let graph: PriceGraph;
let router: TestRouter;

beforeAll(async () => {
  graph = await startPriceGraph();
  router = await startTestRouter(graph);
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

beforeEach(() => {
  graph.sent.shipping = [];
  graph.sent.taxes = [];
});

async function first(selection: string): Promise<unknown> {
  const answer = await router.query(`{ products { ${selection} } }`);
  expect(answer.errors).toEqual([]);
  const products: unknown = answer.data?.['products'];
  return Array.isArray(products) ? products[0] : products;
}

describe('each field is given what it requires', () => {
  test('where another one requires other arguments', async () => {
    expect(await first('upc inUSD inEUR')).toEqual({ upc: '1', inUSD: '1.00 USD 10', inEUR: '1 EUR 10' });
    expect(graph.sent.shipping).toHaveLength(4);
    expect(graph.sent.shipping).toContainEqual({ upc: '1', price: '1.00 USD', weight: 10 });
    expect(graph.sent.shipping).toContainEqual({ upc: '1', price: '1 EUR', weight: 10 });
  });

  test('of three variants, beside fields that require nothing and what the client asks for by itself', async () => {
    const selection = `plain free inEUR inUSD alsoInUSD weight
      price(currency: GBP) price__r2 price__r3: price(currency: JPY) inCHF: price(currency: CHF)`;
    expect(await first(selection)).toEqual({
      plain: '1 NONE',
      free: 'free',
      inEUR: '1 EUR 10',
      inUSD: '1.00 USD 10',
      alsoInUSD: '1.00 USD',
      weight: 10,
      price: '1 GBP',
      price__r2: 'its own',
      price__r3: '1 JPY',
      inCHF: '1 CHF',
    });
    expect(graph.sent.shipping).toHaveLength(6);
  });

  test('below a field that is required in variants, too', async () => {
    expect(await first('offerInUSD offersInEUR offerInEUR inEUR')).toEqual({
      offerInUSD: '100 USD',
      offersInEUR: '100 EUR,101 EUR',
      offerInEUR: '100 EUR',
      inEUR: '1 EUR 10',
    });
  });

  test('in two subgraphs, with one fetch in each', async () => {
    expect(await first('inEUR tax')).toEqual({ inEUR: '1 EUR 10', tax: '1 CHF' });
    expect(graph.sent.shipping).toHaveLength(2);
    expect(graph.sent.taxes).toContainEqual({ upc: '1', price: '1 CHF' });
  });

  test('where one of them is required in turn', async () => {
    expect(await first('both')).toEqual({ both: '1.00 USD 10 + 1 EUR 10' });
  });

  test('of interface objects and of members of a union', async () => {
    const answer = await router.query(`{
      media { id mediaInUSD mediaInEUR }
      things { ... on Book { mediaInEUR mediaInUSD } ... on Product { inUSD inEUR } }
    }`);
    expect(answer.errors).toEqual([]);
    expect(answer.data).toEqual({
      media: [{ id: 'b', mediaInUSD: '7 USD', mediaInEUR: '7 EUR' }],
      things: [
        { mediaInEUR: '7 EUR', mediaInUSD: '7 USD' },
        { inUSD: '1.00 USD 10', inEUR: '1 EUR 10' },
      ],
    });
    // Two variants of each of three entities.
    expect(graph.sent.shipping).toHaveLength(6);
  });

  test('with the variables, conditions and aliases of each', async () => {
    const selection =
      '...Prices a: inUSD(suffix: $a) b: inEUR(suffix: $b) inEUR @include(if: $yes) inUSD @skip(if: $yes)';
    const answer = await router.query(
      `query ($a: String, $b: String, $yes: Boolean!) { products { ${selection} } }
       fragment Prices on Product { c: inUSD(suffix: $b) plain d: inEUR }`,
      { variables: { a: '!', b: '?', yes: true } },
    );
    expect(answer.errors).toEqual([]);
    expect(answer.data?.['products']).toMatchObject([
      { a: '1.00 USD 10!', b: '1 EUR 10?', c: '1.00 USD 10?', d: '1 EUR 10', inEUR: '1 EUR 10', plain: '1 NONE' },
      { a: '2.00 USD 20!' },
    ]);
  });
});

describe('with @defer', () => {
  async function deliver(query: string) {
    const identity = createIdentitySource(createIdentitySigner(IDENTITY_SECRET))(ANONYMOUS_PRINCIPAL);
    const loaded = await loadSupergraph(graph.supergraph);
    const prepare = createPrepare(loaded, { limits: GENEROUS_LIMITS, costing: null, mayIntrospect: () => true });
    const transports = new Map(
      loaded.subgraphs.map(({ name }) => {
        return [name, createHttpTransport({ name, url: graph.subgraphUrl(name) ?? '' })] as const;
      }),
    );
    const prepared = await prepare({ query }, { ...ANONYMOUS_SESSION, incremental: true });
    const { data, errors, incremental } = await executeOperation({
      ...prepared,
      async call(request) {
        const transport = transports.get(request.operation.subgraph);
        if (transport === undefined) throw new Error('There is no such subgraph.');
        return transport.call(request, { requestId: 'r', identity: () => identity });
      },
    });
    const later = [];
    for await (const update of incremental ?? []) later.push(...update.incremental);
    for (const transport of transports.values()) await transport.close();
    loaded.unload();
    return { data, errors, later };
  }

  test('what is deferred is split', async () => {
    const { data, later } = await deliver('{ products { upc ... @defer { inUSD inEUR } } }');
    expect(data).toEqual({ products: [{ upc: '1' }, { upc: '2' }] });
    expect(later).toMatchObject([
      { data: { inUSD: '1.00 USD 10', inEUR: '1 EUR 10' }, path: ['products', 0] },
      { data: { inUSD: '2.00 USD 20', inEUR: '2 EUR 20' }, path: ['products', 1] },
    ]);
  });

  test('what depends on a fetch that is split comes after all of it', async () => {
    const { data, later } = await deliver('{ products { inEUR carrier { id ... @defer { licence } } } }');
    expect(data).toMatchObject({ products: [{ inEUR: '1 EUR 10', carrier: { id: 'for 1 USD' } }, {}] });
    expect(later).toMatchObject([
      { data: { licence: 'licence for 1 USD' }, path: ['products', 0, 'carrier'] },
      { data: { licence: 'licence for 2 USD' }, path: ['products', 1, 'carrier'] },
    ]);
  });
});

test('nobody sees what the planner has of its own', async () => {
  const { schema } = await loadSupergraph(graph.supergraph);
  const type = schema.getType('Product');
  expect(type && 'getFields' in type ? Object.keys(type.getFields()).filter((name) => /__r\d/.test(name)) : []).toEqual(
    ['price__r2'],
  );
  const { data, errors } = await router.query('{ products { price__r3 } }');
  expect(data).toBeUndefined();
  expect(errors[0]?.message).toContain('"price__r3"');
});

test('a supergraph without such requirements has the plans that it had', async () => {
  const link =
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@external", "@requires"])';
  const loaded = await loadSupergraph(
    compose({
      a: `${link} type Query { all: [A] } type A @key(fields: "id") { id: ID! price(digits: Int): Int }`,
      b: `${link} type A @key(fields: "id") {
        id: ID! price(digits: Int): Int @external
        one: Int @requires(fields: "price(digits: 1)") other: Int @requires(fields: "price(digits: 1)")
      }`,
    }),
  );
  const plan = JSON.stringify(await loaded.plan('{ all { one other } }'));
  expect(plan).toContain('{all{__typename id price(digits:1)}}');
  expect(plan).not.toContain('alias');
});
