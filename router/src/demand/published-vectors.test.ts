/** What the Apollo Router's documentation and its own tests say that operations cost, on graphs of the same shape. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ANONYMOUS_PRINCIPAL } from '../auth/principal.ts';
import { GENEROUS_LIMITS } from '../limits/operation-limits.ts';
import { createPrepare } from '../operations/prepare-operation.ts';
import type { PreparedOperation } from '../operations/prepare-operation.ts';
import { loadSupergraph } from '../supergraph/load-supergraph.ts';
import { compose } from '../testing/compose.ts';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { collect, startTestRouter } from '../testing/test-router.ts';
import { startTestSubgraph } from '../testing/test-subgraph.ts';
import { createCosting } from './costing.ts';
import type { DemandOptions } from './demand-options.ts';

const LINK = `extend schema @link(
  url: "https://specs.apollo.dev/federation/v2.9"
  import: ["@key", "@external", "@requires", "@cost", "@listSize", "@inaccessible"]
)`;

type Ask = (query: string, variables?: Record<string, unknown>) => Promise<PreparedOperation>;

async function asking(supergraphSdl: string, demand: Partial<DemandOptions>): Promise<Ask> {
  const supergraph = await loadSupergraph(supergraphSdl);
  const costing = createCosting(supergraph, { mode: 'enforce', ...demand });
  const prepare = createPrepare(supergraph, { limits: GENEROUS_LIMITS, costing, mayIntrospect: () => true });
  return async (query, variables) => prepare({ query, variables }, { principal: ANONYMOUS_PRINCIPAL, ...NOWHERE });
}

const NOWHERE = {
  requestId: 'test',
  incremental: true,
  transport: 'http',
  address: null,
  client: { name: null, version: null },
} as const;

const MODES = ['supergraph', 'fetches'] as const;

describe.each(MODES)('the documentation, estimated by %s', (estimate) => {
  const shop = (address: string) => /* GraphQL */ `
    ${LINK}
    type Query {
      book(id: ID): Book
      bestsellers: [Book] @listSize(assumedSize: 5)
      newestAdditions(after: ID, limit: Int!): [Book] @listSize(slicingArguments: ["limit"])
      search(input: Search!): [Book] @listSize(slicingArguments: ["limit"])
      container(first: Int): Container
        @listSize(slicingArguments: ["first"], sizedFields: ["page"], requireOneSlicingArgument: false)
      deep(first: Int): Deep
        @listSize(slicingArguments: ["first"], sizedFields: ["page"], requireOneSlicingArgument: false)
    }
    type Mutation {
      touch: Int
    }
    type Subscription {
      bookAdded: Book
    }
    type Book { title: String author: Author publisher: Publisher }
    type Author { name: String }
    type Publisher { name: String address: Address }
    type Address ${address} { zipCode: Int! }
    type Container { page: [Book] recent: [Book] metadata: String }
    type Deep { results: Container page: [Book] }
    input Search { pagination: Pagination query: String }
    input Pagination { first: Int after: String }
  `;
  const supergraph = (address: string) =>
    compose({
      shop: shop(address).replace(
        'search(input: Search!): [Book] @listSize(slicingArguments: ["limit"])',
        'search(input: Search!, limit: Int): [Book] @listSize(slicingArguments: ["limit"])',
      ),
    })
      .replace(/(search\(.*\n?.*slicingArguments: )\["limit"\]/, '$1["input.pagination.first"]')
      .replace(/(deep\(.*\n?.*sizedFields: )\["page"\]/, '$1["results { page }"]');
  const BOOK = '{ title author { name } publisher { name address { zipCode } } }';

  test('a query of objects costs 4', async () => {
    const ask = await asking(supergraph(''), { estimate });
    expect((await ask(`query BookQuery { book(id: 1) ${BOOK} }`)).estimatedCost).toBe(4);
  });

  test.each([
    ['with a weight on a type, 8', `{ book(id: 1) ${BOOK} }`, 8],
    ['of an assumed size, 40', `{ bestsellers ${BOOK} }`, 40],
    ['of three by a slicing argument, 24', `{ newestAdditions(limit: 3) ${BOOK} }`, 24],
    ['of seven, 56', `{ newestAdditions(limit: 7) ${BOOK} }`, 56],
    [
      'of ten by a path, and two input objects',
      '{ search(input: { pagination: { first: 10 }, query: "fiction" }) { title } }',
      12,
    ],
    ['sized, and not sized', '{ container(first: 3) { page { title } recent { title } metadata } }', 1 + 3 + 10],
    ['sized below another field', '{ deep(first: 4) { results { page { title } } } }', 1 + 1 + 4],
    ['a mutation, 10', 'mutation { touch }', 10],
    ['a subscription, what it subscribes to', 'subscription { bookAdded { title } }', 1],
  ])('%s', async (_name, query, expected) => {
    const ask = await asking(supergraph('@cost(weight: 5)'), { estimate });
    expect((await ask(query)).estimatedCost).toBe(expected);
  });
});

const CREWS = /* GraphQL */ `
  ${LINK}
  type Person @key(fields: "licence") {
    licence: ID!
    name: String!
    homes: [Home!]!
  }
  type Home {
    street: String!
    code: Int!
  }
  type Query {
    people: [Person!]!
  }
`;
const BOATS = /* GraphQL */ `
  ${LINK}
  type Boat @key(fields: "id") {
    id: ID!
    name: String!
    captain: Person!
    fee: Float @requires(fields: "captain { homes { code } }")
  }
  type Person @key(fields: "licence") {
    licence: ID!
    homes: [Home!]! @external
  }
  type Home {
    code: Int! @external
  }
  type Query {
    boats: [Boat!]!
  }
`;
const FLEET = compose({ crews: CREWS, boats: BOATS });
const REQUIRED = '{ boats { name fee } }';
const DEFERRED = '{ boats { name ... @defer { fee } } }';
const FRAGMENTS = `
  fragment P on Person { licence name }
  fragment B on Boat { captain { ...P } }
  { boats { ...B } people { ...P } }`;

describe('its tests, on two subgraphs', () => {
  test.each([
    ['required fields', REQUIRED, 100, 10_400, { crews: 10_100, boats: 300 }],
    ['deferred fields', DEFERRED, 100, 10_400, { crews: 10_100, boats: 300 }],
    ['fragments', FRAGMENTS, 100, 400, { crews: 200, boats: 200 }],
    ['required fields, with lists of 10', REQUIRED, 10, 140, { crews: 110, boats: 30 }],
    ['fragments, with lists of 10', FRAGMENTS, 10, 40, { crews: 20, boats: 20 }],
  ])('estimate %s by fetches', async (_name, query, listSize, total, bySubgraph) => {
    const ask = await asking(FLEET, { estimate: 'fetches', listSize });
    const { estimatedCost, estimatedBySubgraph } = await ask(query);
    expect({ estimatedCost, estimatedBySubgraph }).toEqual({ estimatedCost: total, estimatedBySubgraph: bySubgraph });
  });

  test.each([
    [{}, { crews: 110, boats: 30 }],
    [{ all: { listSize: 2 } }, { crews: 6, boats: 6 }],
    [{ named: { boats: { listSize: 3 } } }, { crews: 110, boats: 9 }],
    [
      { all: { listSize: 2 }, named: { boats: { listSize: 3 } } },
      { crews: 6, boats: 9 },
    ],
  ])('take the sizes of lists of each subgraph: %j', async (subgraphs, expected) => {
    const ask = await asking(FLEET, { estimate: 'fetches', listSize: 10, subgraphs });
    expect((await ask(REQUIRED)).estimatedBySubgraph).toEqual(expected);
  });

  test('count what is asked for over the supergraph without how it is fetched', async () => {
    const ask = await asking(FLEET, { listSize: 100 });
    expect((await ask(REQUIRED)).estimatedCost).toBe(100);
    expect((await ask(FRAGMENTS)).estimatedCost).toBe(300);
  });

  test('take what conditions by variables could let in', async () => {
    const query = 'query ($a: Boolean!) { boats { name fee @include(if: $a) captain @skip(if: $a) { name } } }';
    const byFetches = await asking(FLEET, { estimate: 'fetches', listSize: 10 });
    const bySupergraph = await asking(FLEET, { listSize: 10, bySubgraph: true });
    const [yes, no] = [{ a: true }, { a: false }];
    expect((await byFetches(query, yes)).estimatedCost).toBe((await byFetches(query, no)).estimatedCost);
    expect((await byFetches(query, no)).estimatedCost).toBeGreaterThanOrEqual(140);
    expect((await bySupergraph(query, yes)).estimatedCost).toBe(10);
    expect((await bySupergraph(query, no)).estimatedCost).toBe(20);
    expect((await bySupergraph(query, no)).estimatedBySubgraph).toEqual({ crews: 10, boats: 20 });
  });
});

describe('on subgraphs that answer', () => {
  const home = { street: 'Quay', code: 18263 };
  const people = ['100', '110', '120'].map((licence) => ({ licence, name: `Person ${licence}`, homes: [home] }));
  let captains = ['100', '110', '120'];
  let crews: Awaited<ReturnType<typeof startTestSubgraph>>;
  let boats: Awaited<ReturnType<typeof startTestSubgraph>>;
  beforeAll(async () => {
    crews = await startTestSubgraph('crews', CREWS, {
      Query: { people: () => people.slice(0, 2) },
      Person: {
        __resolveReference: ({ licence }: { licence: string }) => people.find((each) => each.licence === licence),
      },
    });
    boats = await startTestSubgraph('boats', BOATS, {
      Query: { boats: () => captains.map((licence, i) => ({ id: i, name: `Boat ${i}`, captain: { licence } })) },
      Boat: { __resolveReference: (sent: object) => sent, fee: () => 12.5 },
    });
  });
  afterAll(() => Promise.all([crews.stop(), boats.stop()]));

  const bodySchema = z.object({ extensions: z.object({ cost: z.record(z.string(), z.unknown()) }) });

  async function ask(query: string, demand: Partial<DemandOptions>) {
    const subgraphUrl = (name: string) => (name === 'crews' ? crews.url : boats.url);
    const options: DemandOptions = { mode: 'enforce', tell: true, bySubgraph: true, ...demand };
    const router = await startTestRouter({ supergraph: FLEET, subgraphUrl }, { demand: options });
    const answer = await router.query(query);
    await router.close();
    return { answer, cost: bodySchema.parse(JSON.parse(answer.text)).extensions.cost };
  }

  test('the actual cost of required fields is that of the answers, or of the response', async () => {
    captains = ['100', '110', '120'];
    const byFetches = await ask(REQUIRED, { estimate: 'fetches' });
    expect(byFetches.answer.errors).toEqual([]);
    expect(byFetches.cost).toEqual({
      estimated: 140,
      actual: 15,
      bySubgraph: { crews: { estimated: 110, actual: 6 }, boats: { estimated: 30, actual: 9 } },
    });
    const bySupergraph = await ask(REQUIRED, {});
    expect(bySupergraph.cost).toEqual({
      estimated: 10,
      actual: 3,
      bySubgraph: { crews: { estimated: 110, actual: 6 }, boats: { estimated: 30, actual: 9 } },
    });
  });

  test('an entity counts once for each time that it is fetched, and for each place in the response', async () => {
    captains = ['100', '110', '120', '120', '120'];
    const byFetches = await ask(FRAGMENTS, { estimate: 'fetches' });
    expect(byFetches.cost).toMatchObject({
      estimated: 40,
      actual: 15,
      bySubgraph: { crews: { actual: 5 }, boats: { actual: 10 } },
    });
    expect((await ask(FRAGMENTS, {})).cost).toMatchObject({ estimated: 30, actual: 12 });
  });
});

describe('a subgraph of which too much is asked', () => {
  let graph: TestGraph;
  beforeAll(async () => {
    graph = await startTestGraph();
  });
  afterAll(() => graph.close());

  async function routerWith(demand: Partial<DemandOptions>) {
    return startTestRouter(graph, { demand: { mode: 'enforce', tell: true, bySubgraph: true, ...demand } });
  }
  const query = '{ person(id: "p1") { name voices(first: 4) { label } } }';

  test('is not called, and the rest is answered', async () => {
    const router = await routerWith({ subgraphs: { all: { maximum: 800 }, named: { voices: { maximum: 4 } } } });
    const answer = await router.query(query);
    expect(answer.data).toEqual({ person: { name: 'Person p1', voices: null } });
    expect(answer.errors).toMatchObject([
      {
        message: 'The subgraph "voices" is asked for more than it may cost.',
        path: ['person', 'voices'],
        extensions: { code: 'SUBGRAPH_COST_ESTIMATED_TOO_EXPENSIVE', service: 'voices' },
      },
    ]);
    expect(JSON.parse(answer.text)).toMatchObject({
      extensions: { cost: { bySubgraph: { people: { actual: 1 }, voices: { estimated: 5, actual: 0 } } } },
    });
    expect(await router.metric('timbre_router_cost_outcomes_total', { outcome: 'too_expensive' })).toBe(1);
    await router.close();
  });

  test('is called where that is only measured', async () => {
    const router = await routerWith({ mode: 'measure', subgraphs: { all: { maximum: 1 } } });
    expect((await router.query(query)).errors).toEqual([]);
    expect(await router.metric('timbre_router_cost_outcomes_total', { outcome: 'too_expensive' })).toBe(1);
    await router.close();
  });

  test('is not subscribed to', async () => {
    const router = await routerWith({ subgraphs: { named: { voices: { maximum: 1 } } } });
    const subscription = 'subscription { ticks(count: 1) { sequence person { favourite { id } } } }';
    const { failure } = await collect(router.wsClient(), { query: subscription });
    expect(failure).toMatchObject([{ extensions: { code: 'SUBGRAPH_COST_ESTIMATED_TOO_EXPENSIVE' } }]);
    await router.close();
  });

  test('costs each event what its fetches do', async () => {
    const router = await routerWith({ estimate: 'fetches' });
    const subscription = 'subscription { ticks(count: 1) { sequence person { name } } }';
    const { events } = await collect(router.wsClient(), { query: subscription });
    expect(events[0]?.extensions).toEqual({
      cost: { actual: 3, bySubgraph: { voices: { estimated: 2, actual: 2 }, people: { estimated: 0, actual: 1 } } },
    });
    await router.close();
  });
});

test('entities are as many as there are places for them', async () => {
  const graph = await startTestGraph();
  const query = '{ people(first: 5) { voices(first: 4) { owner { name } } } }';
  const own = await (await asking(graph.supergraph, { bySubgraph: true }))(query);
  expect(own.estimatedCost).toBe(5 * (1 + 4 * 2));
  expect(own.estimatedBySubgraph).toEqual({ people: 5 + 5 * 4, voices: 5 * (1 + 4 * 2) });
  const asApollo = await (await asking(graph.supergraph, { estimate: 'fetches' }))(query);
  expect(asApollo.estimatedBySubgraph).toEqual({ people: 5 + 10, voices: 10 * (1 + 4 * 2) });
  const none = await (
    await asking(graph.supergraph, { bySubgraph: true })
  )('query ($n: Int!) { people(first: $n) { voices { id } } }', { n: -1 });
  expect(none.estimatedBySubgraph).toEqual({ people: 0, voices: 0 });
  await graph.close();
});

test('what clients may not know of costs a subgraph as much', async () => {
  const left = `${LINK} type Item @key(fields: "key { id }") { key: Key! @inaccessible name: String } type Key @cost(weight: 3) { id: ID! } type Query { items: [Item!] @listSize(assumedSize: 2) }`;
  const right = `${LINK} type Item @key(fields: "key { id }") { key: Key! @inaccessible price: Int } type Key @cost(weight: 3) { id: ID! }`;
  const shared = (sdl: string) =>
    sdl.replace('"@cost"', '"@cost", "@shareable"').replace('type Key ', 'type Key @shareable ');
  const ask = await asking(compose({ left: shared(left), right: shared(right) }), {
    estimate: 'fetches',
    listSize: 10,
  });
  expect((await ask('{ items { price } }')).estimatedBySubgraph).toEqual({ left: 2 * (1 + 3), right: 10 });
});

test('what is dearer than allowed is refused when it is planned, too', async () => {
  const ask = await asking(FLEET, { estimate: 'fetches', listSize: 10, maximum: { default: 139 } });
  await expect(ask(REQUIRED)).rejects.toThrow('The operation could cost 140 points; at most 139 are allowed.');
});
