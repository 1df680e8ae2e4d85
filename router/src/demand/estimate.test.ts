import { GraphQLError } from 'graphql';
import { beforeAll, describe, expect, test } from 'vitest';
import { GENEROUS_LIMITS } from '../limits/operation-limits.ts';
import { createPrepare } from '../operations/prepare-operation.ts';
import { loadSupergraph } from '../supergraph/load-supergraph.ts';
import { ANONYMOUS_SESSION } from '../testing/anonymous-session.ts';
import { compose } from '../testing/compose.ts';
import { createCosting } from './costing.ts';
import type { DemandOptions } from './demand-options.ts';

const LINK = `extend schema @link(
  url: "https://specs.apollo.dev/federation/v2.9"
  import: ["@key", "@external", "@requires", "@shareable", "@cost", "@listSize"]
)`;

/** A graph of its own for every way to say what something costs. */
const SHOP = /* GraphQL */ `
  ${LINK}
  scalar Blob @cost(weight: 7)
  enum Shade @cost(weight: 3) {
    DARK
  }
  interface Priced {
    price: Price
    parts: [Part!]
  }
  type Price @cost(weight: 4) {
    amount: Int
    ref: Priced
  }
  type Tool implements Priced @cost(weight: 5) {
    price: Price
    parts: [Part!] @listSize(assumedSize: 3)
    blob: Blob
    shade: Shade
  }
  type Toy implements Priced {
    price: Price @cost(weight: 9)
    parts: [Part!] @listSize(assumedSize: 8)
    name: String
  }
  type Part {
    id: ID
  }
  union Thing = Tool | Toy
  input Filter {
    text: String @cost(weight: 2)
    range: Range
    ranges: [Range!]
    page: Page
  }
  input Range {
    from: Int
    to: Int = 5
  }
  input Page {
    first: Int = 6
    size: Float
    after: [ID!]
  }
  type PartConnection {
    edges: [PartEdge!]
    nodes: [Part!]
    others: [Part!]
    pages: [PartPage!]
  }
  type PartPage {
    items: [Part!]
    extras: [Part!]
  }
  type PartEdge {
    node: Part
  }
  type Query {
    tool: Tool
    toy: Toy
    priced: Priced
    thing: Thing
    find(filter: Filter, weighted: Filter @cost(weight: 11), tags: [String!] @cost(weight: 6), blob: Blob): Part
    sliced(first: Int, last: Int, ids: [ID!], filter: Filter): [Part!]
      @listSize(slicingArguments: ["first", "last"], assumedSize: 4, requireOneSlicingArgument: false)
    one(first: Int, last: Int): [Part!] @listSize(slicingArguments: ["first", "last"])
    unsaid(first: Int): [Part!] @listSize(slicingArguments: ["first"], requireOneSlicingArgument: false)
    connection(first: Int = 2): PartConnection
      @listSize(slicingArguments: ["first"], sizedFields: ["edges", "nodes"], requireOneSlicingArgument: false)
    discounted: Part @cost(weight: -5)
    blobs: [Blob!] @listSize(assumedSize: 3)
    plain: [Part!]
  }
  type Mutation {
    change: Part
  }
`;

/** The composition here is older than lists and paths as slicing arguments, and paths of sized fields. */
const SUPERGRAPH = compose({ shop: SHOP })
  .replace(
    '["first", "last"], assumedSize',
    '["first", "last", "ids", "filter.page.first", "filter.page.size"], assumedSize',
  )
  .replace('["edges", "nodes"]', '["edges", "nodes", "pages { items }"]');

type Estimate = (query: string, variables?: Record<string, unknown>) => Promise<number | null>;

async function estimator(options: Partial<DemandOptions> = {}): Promise<Estimate> {
  const supergraph = await loadSupergraph(SUPERGRAPH);
  const costing = createCosting(supergraph, { mode: 'measure', ...options });
  const prepare = createPrepare(supergraph, { limits: GENEROUS_LIMITS, costing, mayIntrospect: () => true });
  return async (query, variables = {}) => {
    return (await prepare({ query, variables }, ANONYMOUS_SESSION)).estimatedCost;
  };
}

let estimate: Estimate;
beforeAll(async () => {
  estimate = await estimator();
});

describe('weights', () => {
  test.each([
    ['of a scalar and of an enum', '{ tool { blob shade } }', 5 + 7 + 3],
    ['of each item of a list', '{ blobs }', 3 * 7],
    ['of a field over that of its type', '{ toy { price { amount } } }', 1 + 9],
    ['of the heaviest type of an interface', '{ priced { __typename } }', 5],
    ['of the heaviest type of a union', '{ thing { __typename } }', 5],
    ["of the heaviest of an interface's fields", '{ priced { price { amount } } }', 5 + 9],
    ['of a list behind an interface, the longest', '{ priced { parts { id } } }', 5 + 8],
    [
      'of what hangs below each of several types',
      '{ thing { ... on Tool { blob } ... on Toy { price { amount } } } }',
      5 + 7 + 9,
    ],
    ['below zero cost nothing', '{ discounted { id } tool { shade } }', 0 + 8],
    ['of a mutation', 'mutation { change { id } }', 11],
  ])('%s', async (_name, query, expected) => {
    expect(await estimate(query)).toBe(expected);
  });
});

describe('arguments', () => {
  test.each([
    ['an input object', '{ find(filter: {}) { id } }', {}, 1 + 1],
    ['a weighted field of one', '{ find(filter: { text: "x" }) { id } }', {}, 1 + 1 + 2],
    [
      'objects in objects and lists',
      '{ find(filter: { range: {}, ranges: [{}, { from: 1 }] }) { id } }',
      {},
      1 + 1 + 3,
    ],
    ['null', '{ find(filter: null, tags: null) { id } }', {}, 1],
    ['an own weight instead of the 1', '{ find(weighted: { text: "x" }) { id } }', {}, 1 + 11 + 2],
    ['a weight once for the whole list', '{ find(tags: ["a", "b", "c"]) { id } }', {}, 1 + 6],
    ['a weight of the type', '{ find(blob: 1) { id } }', {}, 1 + 7],
    ['an arbitrary value of a scalar', 'query ($b: Blob) { find(blob: $b) { id } }', { b: { 'a.b': [1] } }, 1 + 7],
    ['a variable', 'query ($f: Filter) { find(filter: $f) { id } }', { f: { ranges: [{}, {}, {}] } }, 1 + 1 + 3],
    [
      'a variable in an object',
      'query ($r: [Range!]) { find(filter: { ranges: $r }) { id } }',
      { r: [{}, {}] },
      1 + 1 + 2,
    ],
    ['a variable that is not given', 'query ($f: Filter) { find(filter: $f) { id } }', {}, 1],
    ['a default', 'query ($f: Filter = { text: "x" }) { find(filter: $f) { id } }', {}, 1 + 1 + 2],
  ])('%s', async (_name, query, variables, expected) => {
    expect(await estimate(query, variables)).toBe(expected);
  });
});

const TEN = 10;

describe('sizes of lists', () => {
  const byFloat = 'query ($n: Float) { sliced(filter: { page: { first: 0, size: $n } }) { id } }';
  test.each([
    ['what nobody says anything of', '{ plain { id } }', {}, TEN],
    ['a slicing argument', '{ sliced(first: 7) { id } }', {}, 7],
    ['the largest of several', '{ sliced(first: 7, last: 9) { id } }', {}, 9],
    ['a list by its length', '{ sliced(ids: ["a", "b"]) { id } }', {}, 2],
    ['an empty list', '{ sliced(ids: []) { id } }', {}, 0],
    [
      'a path into an object, and what the object costs',
      '{ sliced(filter: { page: { first: 3 } }) { id } }',
      {},
      3 + 2,
    ],
    ["a default in the path's object", '{ sliced(filter: { page: {} }) { id } }', {}, 6 + 2],
    ['a path that leads nowhere: the assumed size', '{ sliced(filter: {}) { id } }', {}, 4 + 1],
    ['null: the assumed size', '{ sliced(first: null) { id } }', {}, 4],
    ['nothing: the assumed size', '{ sliced { id } }', {}, 4],
    ['nothing, and nothing assumed', '{ unsaid { id } }', {}, TEN],
    ['null by a variable, and nothing assumed', 'query ($n: Int) { unsaid(first: $n) { id } }', { n: null }, TEN],
    ['a variable', 'query ($n: Int) { sliced(first: $n) { id } }', { n: 12 }, 12],
    ["a variable's default", 'query ($n: Int = 13) { sliced(first: $n) { id } }', {}, 13],
    [
      'a variable along the path',
      'query ($p: Page) { sliced(filter: { page: $p }) { id } }',
      { p: { first: 8 } },
      8 + 2,
    ],
    [
      'the whole path by a variable',
      'query ($f: Filter) { sliced(filter: $f) { id } }',
      { f: { page: { first: 8 } } },
      8 + 2,
    ],
    ['a negative one counts as none', '{ sliced(first: -3) { id } }', {}, 0],
    ['a negative one takes nothing off others', '{ sliced(first: -2147483648) { id } tool { shade } }', {}, 8],
    ['the largest that there is', '{ sliced(first: 2147483647) { id } }', {}, 2147483647],
    ['a fraction is rounded up', byFloat, { n: 2.2 }, 3 + 2],
    ['a float beyond all lists', byFloat, { n: 1e308 }, 2147483647 + 2],
    ['a negative float', byFloat, { n: -1e308 }, 0 + 2],
    ['sized fields', '{ connection(first: 5) { edges { node { id } } nodes { id } } }', {}, 1 + 5 * 2 + 5],
    ['sized fields by the default of an argument', '{ connection { edges { node { id } } } }', {}, 1 + 2 * 2],
    ['fields that are not sized', '{ connection(first: 5) { others { id } } }', {}, 1 + TEN],
    [
      'sized fields below others',
      '{ connection(first: 5) { pages { items { id } extras { id } } } }',
      {},
      1 + 5 * (1 + 5 + TEN),
    ],
    [
      'sized fields in fragments',
      'query ($n: Int) { connection(first: $n) { ...C } } fragment C on PartConnection { ... { nodes { id } } }',
      { n: 4 },
      1 + 4,
    ],
  ])('%s', async (_name, query, variables, expected) => {
    expect(await estimate(query, variables)).toBe(expected);
  });

  test('a cost has an end', async () => {
    const huge = 'sliced(first: 2147483647) { id }';
    expect(await estimate(`{ ${Array.from({ length: 40 }, (_, i) => `a${i}: ${huge}`).join(' ')} }`)).toBe(
      40 * 2147483647,
    );
    const variables = { n: 2147483647 };
    const nested = `query ($n: Int) { connection(first: $n) { pages { items { id } } } }`;
    expect(await estimate(nested, variables)).toBe(Number.MAX_SAFE_INTEGER);
  });

  test('of a list that needs one slicing argument, exactly one', async () => {
    const refused = async (query: string, variables?: Record<string, unknown>) => {
      const reason: unknown = await estimate(query, variables).catch((error: unknown) => error);
      const [error] =
        reason instanceof Error && 'errors' in reason && Array.isArray(reason.errors) ? reason.errors : [];
      return error instanceof GraphQLError ? { code: error.extensions['code'], message: error.message } : null;
    };
    const message = (given: number) => ({
      code: 'GRAPHQL_VALIDATION_FAILED',
      message: `Field "one" needs exactly one of the arguments first, last; ${given} were given.`,
    });
    expect(await estimate('{ one(last: 3) { id } }')).toBe(3);
    expect(await refused('{ one { id } }')).toEqual(message(0));
    expect(await refused('{ one(first: 1, last: 1) { id } }')).toEqual(message(2));
    expect(await refused('query ($n: Int) { one(first: $n) { id } }', { n: null })).toEqual(message(0));
    expect(await estimate('query ($n: Int) { one(first: $n) { id } }', { n: 0 })).toBe(0);
  });
});

test('conditions decide what counts, and one response name counts once whatever they are', async () => {
  const query = `query ($a: Boolean! = false, $b: Boolean! = true) {
    tool @include(if: $a) { shade }
    tool @skip(if: $b) { blob }
    toy @skip(if: $a) { name }
  }`;
  expect(await estimate(query)).toBe(1);
  expect(await estimate(query, { a: true })).toBe(5 + 3);
  expect(await estimate(query, { a: true, b: false })).toBe(5 + 3 + 7);
  expect(await estimate(query, { b: false })).toBe(5 + 7 + 1);
});

test('the size of lists is configured', async () => {
  expect(await (await estimator({ listSize: 100 }))('{ plain { id } }')).toBe(100);
});
