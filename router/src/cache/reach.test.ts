import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startCachedGraph } from '../testing/cached-graph.ts';
import type { CachedGraph } from '../testing/cached-graph.ts';
import { createTestIssuer } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import { until } from '../testing/until.ts';
import type { MutationReaches } from './reach.ts';

const PRIVATE = 'private, max-age=60';
const PRODUCT = '{ product(id: "p1") { id name count } }';
/** In which no entity can be told from another. */
const UNNAMED = '{ products { name } stocks { count } }';

let graph: CachedGraph;
let issuer: TestIssuer;
let router: TestRouter;
let ann: string;
let bob: string;

beforeAll(async () => {
  issuer = await createTestIssuer();
  ann = await issuer.sign({ sub: 'ann' });
  bob = await issuer.sign({ sub: 'bob' });
});
beforeEach(async () => {
  graph = await startCachedGraph();
  graph.counts.set('p1', 1);
});
afterEach(async () => {
  await router.close();
  await graph.close();
});

async function start(mutations: MutationReaches, options: Parameters<typeof startTestRouter>[1] = {}): Promise<void> {
  router = await startTestRouter(graph, { issuer, responseCache: { mutations }, ...options });
}

function sayPrivate(): void {
  graph.catalog.cacheControl = PRIVATE;
  graph.stock.cacheControl = PRIVATE;
}

/** How many calls each subgraph gets from a query, and what it brings. `$id` is p2. */
async function read(query: string, token: string) {
  const before = { catalog: graph.catalog.received.length, stock: graph.stock.received.length };
  const { data } = await router.query(query, { token, variables: { id: 'p2' } });
  return {
    data,
    catalog: graph.catalog.received.length - before.catalog,
    stock: graph.stock.received.length - before.stock,
  };
}

const renamed = (name: string) => `renameUnseen(id: "p1", name: "${name}")`;
const counted = (count: number) => `setCount(id: "p1", count: ${count}) { count }`;

describe.each([
  ['private', sayPrivate],
  ['public', () => undefined],
])('what is %s', (_name, say) => {
  test('is old where a mutation of its reader reaches, at once, and nowhere else', async () => {
    await start({ renameUnseen: { subgraphs: ['catalog'] }, setCount: { subgraphs: ['stock'] } });
    say();
    await read(PRODUCT, ann);
    for (let round = 1; round < 4; round += 1) {
      await router.query(`mutation { renamed: ${renamed(`name ${round}`)} }`, { token: ann });
      const afterName = await read(PRODUCT, ann);
      expect(afterName).toMatchObject({ catalog: 1, stock: 0, data: { product: { name: `name ${round}` } } });
      await router.query(`mutation { ${counted(round * 10)} }`, { token: ann });
      const afterCount = await read(PRODUCT, ann);
      expect(afterCount).toMatchObject({ catalog: 0, stock: 1, data: { product: { count: round * 10 } } });
      expect(await read(PRODUCT, ann)).toMatchObject({ catalog: 0, stock: 0 });
    }
  });

  test.each([
    ['that is not declared', `mutation { ${renamed('new')} }`, { rename: { subgraphs: ['stock'] } }],
    [
      'with one that is declared and one that is not',
      `mutation { ${renamed('new')} setSecret(value: "new") { id } }`,
      { setSecret: { subgraphs: ['catalog'], public: false } },
    ],
    [
      'that is called like one that is declared',
      `mutation { setSecret: ${renamed('new')} }`,
      { setSecret: { subgraphs: ['stock'] } },
    ],
  ])('is old after a mutation %s', async (_mutation, mutation, mutations) => {
    await start(mutations);
    say();
    await read(PRODUCT, ann);
    await router.query(mutation, { token: ann });
    expect(await read(PRODUCT, ann)).toMatchObject({ catalog: 1, stock: 1, data: { product: { name: 'new' } } });
  });

  test.each([
    ['in one call', `one: ${renamed('new')} __typename two: setSecret(value: "new") { id }`],
    ['in several calls', `${renamed('new')} ${counted(8)} setSecret(value: "new") { id }`],
  ])('is old wherever one of several mutations %s reaches', async (_calls, fields) => {
    await start({
      renameUnseen: { subgraphs: ['catalog'] },
      setSecret: { subgraphs: ['stock'] },
      setCount: { subgraphs: ['stock'] },
    });
    say();
    await read(PRODUCT, ann);
    await router.query(`mutation { ${fields} }`, { token: ann });
    expect(await read(PRODUCT, ann)).toMatchObject({ catalog: 1, stock: 1, data: { product: { name: 'new' } } });
  });

  test.each([
    ['fails', 'renameAndFail(id: "p1", name: "new") { id }', null],
    ['is not understood', renamed('new'), { status: 500, body: 'no' }],
  ])('is old where a mutation reaches that %s, too', async (_outcome, mutation, broken) => {
    const reach = { subgraphs: ['catalog'] };
    await start({ renameAndFail: reach, renameUnseen: reach });
    say();
    await read(PRODUCT, ann);
    graph.catalog.broken = broken;
    expect((await router.query(`mutation { ${mutation} }`, { token: ann })).errors).toHaveLength(1);
    graph.catalog.broken = null;
    expect(await read(PRODUCT, ann)).toMatchObject({ catalog: 1, stock: 0, data: { product: { name: 'new' } } });
  });

  test('is old where a mutation reaches whose answer does not come in time', async () => {
    await start({ renameUnseen: { subgraphs: ['catalog'] } }, { http: { timeoutMs: 1_500 } });
    say();
    await read(PRODUCT, ann);
    const { held, release } = graph.catalog.hold('renameUnseen');
    const late = router.query(`mutation { ${renamed('new')} }`, { token: ann });
    await held;
    expect((await late).errors).toHaveLength(1);
    expect(await read(PRODUCT, ann)).toMatchObject({ catalog: 1, stock: 0, data: { product: { name: 'new' } } });
    release();
  });

  test('is not kept where a mutation reaches, when it was asked for before and comes after', async () => {
    await start({ renameUnseen: { subgraphs: ['catalog'] } });
    say();
    const { held, release } = graph.catalog.hold('product(id');
    const slow = read(PRODUCT, ann);
    await held;
    await router.query(`mutation { ${renamed('new')} }`, { token: ann });
    const next = read(PRODUCT, ann);
    await until(() => graph.catalog.received.filter(({ query }) => query.includes('product(')).length === 2);
    release();
    expect((await slow).data).toMatchObject({ product: { name: 'Product p1' } });
    expect((await next).data).toMatchObject({ product: { name: 'new' } });
    expect(await read(PRODUCT, ann)).toMatchObject({ catalog: 0, stock: 0, data: { product: { name: 'new' } } });
  });
});

test('however mutations and reads of many people cross, nobody sees anything older than what they have changed', async () => {
  await start({
    renameUnseen: { subgraphs: ['catalog'], public: false },
    rename: { subgraphs: ['catalog'] },
    setCount: { subgraphs: ['stock'], public: false },
  });
  sayPrivate();
  const people = await Promise.all(Array.from({ length: 6 }, (_, index) => issuer.sign({ sub: `person ${index}` })));
  const person = async (token: string, index: number) => {
    const id = `p${index}`;
    const written = { name: `Product ${id}`, count: 0 };
    graph.counts.set(id, 0);
    for (let round = 1; round <= 15; round += 1) {
      const name = `${id} ${round}`;
      const [mutation, changed] = (
        [
          [`renameUnseen(id: "${id}", name: "${name}")`, { name }],
          [`rename(id: "${id}", name: "${name}") { id }`, { name }],
          [`setCount(id: "${id}", count: ${round}) { count }`, { count: round }],
        ] as const
      )[(round * 7 + index) % 3] ?? ['', {}];
      // What is asked for meanwhile may be of before or after.
      const meanwhile = router.query(`{ product(id: "${id}") { name count } }`, { token });
      await router.query(`mutation { ${mutation} }`, { token });
      Object.assign(written, changed);
      const { data } = await router.query(`{ product(id: "${id}") { name count } }`, { token });
      expect(data).toEqual({ product: written });
      await meanwhile;
      expect((await router.query(`{ product(id: "${id}") { name count } }`, { token })).data).toEqual(data);
    }
  };
  await Promise.all(people.map(person));
});

test('others keep of an entity what the mutation of it does not reach', async () => {
  await start({ rename: { subgraphs: ['catalog'] } });
  await read(PRODUCT, bob);
  await router.query('mutation { rename(id: "p1", name: "new") { id } }', { token: ann });
  expect(await read(PRODUCT, bob)).toMatchObject({ catalog: 1, stock: 0, data: { product: { name: 'new' } } });
  await read(UNNAMED, bob);
  await router.query('mutation { rename(id: "p1", name: "newer") { name } }', { token: ann });
  expect(await read(UNNAMED, bob)).toMatchObject({ catalog: 1, stock: 0 });
});

describe('a mutation that changes nothing public', () => {
  test.each([
    ['of its subgraphs', { subgraphs: ['catalog'], public: false }, 0],
    ['of any', { public: false }, 1],
  ])('%s leaves what everybody is shown, and makes what is private old', async (_name, reach, stock) => {
    await start({ renameUnseen: reach });
    await read(UNNAMED, ann);
    sayPrivate();
    await read(PRODUCT, ann);
    await router.query(`mutation { ${renamed('new')} }`, { token: ann });
    expect(await read(UNNAMED, ann)).toMatchObject({ catalog: 0, stock: 0 });
    expect(await read(PRODUCT, ann)).toMatchObject({ catalog: 1, stock, data: { product: { name: 'new' } } });
  });

  test('leaves to others what they are shown, but for the entity that it brings', async () => {
    await start({ rename: { subgraphs: ['catalog'], public: false } });
    const other = '{ product(id: "p2") { id name } }';
    const within = '{ product(id: "p2") { id maker { best { id name } } } }';
    for (const query of [PRODUCT, other, within]) await read(query, bob);
    await router.query('mutation { rename(id: "p1", name: "new") { id } }', { token: ann });
    for (const token of [ann, bob]) {
      expect(await read(PRODUCT, token)).toMatchObject({ stock: 0, data: { product: { name: 'new' } } });
      for (const query of [other, within]) expect(await read(query, token)).toMatchObject({ catalog: 0 });
    }
  });

  test('beside one that may, may', async () => {
    await start({
      renameUnseen: { subgraphs: ['catalog'], public: false },
      setSecret: { subgraphs: ['stock'] },
    });
    await read(UNNAMED, ann);
    await router.query(`mutation { ${renamed('new')} setSecret(value: "new") { id } }`, { token: ann });
    expect(await read(UNNAMED, ann)).toMatchObject({ catalog: 0, stock: 1 });
  });
});

describe.each([
  ['private', sayPrivate],
  ['public', () => undefined],
])('of what is %s, a mutation that changes nothing but what it returns', (_name, say) => {
  const OTHER = 'query ($id: ID!) { product(id: $id) { id name count } }';
  const returnedOnly = { returnedOnly: true };
  const around = (what: string) => `renameAs(type: "Renamed", id: "p1", name: "new") { ... on Renamed { ${what} } }`;

  test('leaves all else to who sends it, too', async () => {
    await start({ rename: returnedOnly, renameAs: returnedOnly });
    say();
    for (let round = 1; round < 4; round += 1) {
      const all = [PRODUCT, OTHER, '{ products { id name } }', '{ viewer { id } }'];
      for (const query of all) await read(query, ann);
      const name = `name ${round}`;
      const mutation = [
        `rename(id: "p1", name: "${name}") { id }`,
        `renameAs(type: "Product", id: "p1", name: "${name}") { ... on Product { id } }`,
      ][round % 2];
      await router.query(`mutation { ${mutation} }`, { token: ann });
      expect(await read(PRODUCT, ann)).toMatchObject({ catalog: 1, stock: 1, data: { product: { name } } });
      expect(await read(OTHER, ann)).toMatchObject({ catalog: 0, stock: 0 });
      expect(await read('{ viewer { id } }', ann)).toMatchObject({ catalog: 0 });
      const { data, catalog } = await read('{ products { id name } }', ann);
      expect(data?.['products']).toContainEqual({ id: 'p1', name });
      expect(catalog).toBe(1);
    }
  });

  test.each([
    ['that does not say which', 'rename(id: "p1", name: "new") { name }'],
    ['that fails', 'renameAndFail(id: "p1", name: "new") { id fails }'],
    [
      'that returns none, as it asks for no key',
      'rename(id: "p1", name: "new") { ...on Product @include(if: false) { id } name }',
    ],
    ['that returns it in something else', around('product { id name }')],
    ['that returns another beside it, which alone is asked for', around('viewer { id }')],
    ['that returns nothing of what is asked for', around('viewer { id } product @include(if: false) { id }')],
    ['beside another', 'rename(id: "p1", name: "new") { id } other: rename(id: "p3", name: "new") { id }'],
  ])('makes all old %s', async (_which, fields) => {
    await start({ rename: returnedOnly, renameAndFail: returnedOnly, renameAs: returnedOnly });
    say();
    for (const query of [PRODUCT, OTHER]) await read(query, ann);
    await router.query(`mutation { ${fields} }`, { token: ann });
    expect(await read(PRODUCT, ann)).toMatchObject({ catalog: 1, stock: 1, data: { product: { name: 'new' } } });
    expect(await read(OTHER, ann)).toMatchObject({ catalog: 1, stock: 1 });
  });
});

test('what the supergraph does not have is told at the start, and when it is reloaded', async () => {
  await start({ renameUnseen: { subgraphs: ['catalog'] } });
  const unknown = { renam: {}, rename: { subgraphs: ['catalog', 'shop'] }, toString: { public: false } };
  await expect(startTestRouter(graph, { responseCache: { mutations: unknown } })).rejects.toThrow(
    /responseCache\.mutations is not usable:\n {2}renam is no mutation.*\n {2}rename: shop is no subgraph.*\n {2}toString is no mutation/,
  );
  const returnedOnly = { returnedOnly: true };
  const notOne = { renameUnseen: returnedOnly, renameWith: returnedOnly, renameAll: returnedOnly, renam: returnedOnly };
  await expect(startTestRouter(graph, { responseCache: { mutations: notOne } })).rejects.toThrow(
    /:\n {2}renameUnseen: returnedOnly is of .*, and String is none.*\n {2}renameWith: .* Renamed is none.*\n {2}renameAll: .* \[Product!\]! is none.*\n {2}renam is no mutation[^\n]*$/,
  );
  await expect(router.reload(graph.supergraph.replaceAll('renameUnseen', 'renameBlindly'))).rejects.toThrow(
    /renameUnseen is no mutation/,
  );
  expect((await read(PRODUCT, ann)).data).toMatchObject({ product: { id: 'p1' } });
});
