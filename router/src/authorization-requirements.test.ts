import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compose } from './testing/compose.ts';
import { startGuardedGraph } from './testing/guarded-graph.ts';
import type { GuardedGraph } from './testing/guarded-graph.ts';
import { createTestIssuer } from './testing/test-issuer.ts';
import type { TestIssuer } from './testing/test-issuer.ts';
import { codesOf, startTestRouter } from './testing/test-router.ts';
import type { TestRouter } from './testing/test-router.ts';

let graph: GuardedGraph;
let issuer: TestIssuer;
let router: TestRouter;

beforeAll(async () => {
  graph = await startGuardedGraph();
  issuer = await createTestIssuer();
  router = await startTestRouter(graph, { issuer });
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

const DENIED = 'UNAUTHORIZED_FIELD_OR_TYPE';
const signed = async (scope = '') => ({ token: await issuer.sign({ scope }) });

describe('what a field is made of', () => {
  const subgraphs = (guard: string) => ({
    a: `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@authenticated", "@context"])
      type Query { item: Item }
      type Item @key(fields: "id") @context(name: "item") { id: ID! price: Int @authenticated part: Part }
      type Part @key(fields: "id") { id: ID! }`,
    b: `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@external", "@requires", "@authenticated"])
      type Item @key(fields: "id") { id: ID! price: Int @external tax: Int @requires(fields: "price") ${guard} }`,
  });

  test('composition demands of it to require as much', () => {
    expect(() => compose(subgraphs(''))).toThrow('transitive field "Item.price"');
    expect(compose(subgraphs('@authenticated'))).toContain('tax');
  });

  describe('by a composition that did not', () => {
    let older: TestRouter;

    beforeAll(async () => {
      const supergraph = graph.supergraph.replaceAll(/^(\s+(?:score|amount)\b.*) @authenticated$/gm, '$1');
      const taken = graph.supergraph.length - supergraph.length;
      if (taken !== 2 * ' @authenticated'.length) throw new Error('Not two fields have lost their requirement.');
      older = await startTestRouter({ ...graph, supergraph }, { issuer });
    });

    afterAll(() => older.close());

    test('is required with it: by @requires', async () => {
      const answer = await older.query('{ account { name score } }');
      expect(answer.data).toEqual({ account: { name: 'Ada', score: null } });
      expect(codesOf(answer)).toEqual([DENIED]);
      expect(answer.text).not.toContain('77');
      const known = await older.query('{ account { score } }', await signed());
      expect(known.data).toEqual({ account: { score: 'scored 77' } });
    });

    test('is required with it: by @fromContext', async () => {
      const answer = await older.query('{ ledger { entry { id amount } } }');
      expect(answer.data).toEqual({ ledger: { entry: { id: 'e1', amount: null } } });
      expect(codesOf(answer)).toEqual([DENIED]);
      const known = await older.query('{ ledger { entry { amount } } }', await signed());
      expect(known.data).toEqual({ ledger: { entry: { amount: '5 CHF-77' } } });
    });
  });
});

describe('a key that the caller may not see', () => {
  test('joins what two subgraphs know, and does not show', async () => {
    const answer = await router.query('{ account { name limit } }');
    expect(JSON.parse(answer.text)).toEqual({ data: { account: { name: 'Ada', limit: 1000 } } });
  });

  test.each([
    ['the message and the extensions of an error', '{ account { limit broken } }'],
    ['an alias', '{ account { limit number: name limit2: number } }'],
    ['an error beside an alias of the key', '{ account { broken key: number } }'],
  ])('is not told by %s', async (_name, query) => {
    const answer = await router.query(query);
    expect(answer.data).toMatchObject({ account: {} });
    expect(answer.errors.length).toBeGreaterThan(0);
    expect(answer.text).not.toContain('4711');
  });

  test('is not told by errors of what is delivered later', async () => {
    const response = await fetch(router.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'multipart/mixed;deferSpec=20220824' },
      body: JSON.stringify({ query: '{ account { name ... @defer { broken limit number } } }' }),
    });
    const parts = await response.text();
    expect(parts).toContain('"limit":1000');
    expect(parts).toContain('could not answer');
    expect(parts).not.toContain('4711');
  });

  test('does not keep an error from saying what it is, nor what is wrong from those who may see it', async () => {
    const answer = await router.query('{ account { broken } }');
    expect(answer.errors).toEqual([
      {
        message: 'The subgraph "scores" could not answer.',
        path: ['account', 'broken'],
        extensions: { code: 'CONFLICT', service: 'scores' },
      },
    ]);
    const known = await router.query('{ account { broken } }', await signed('accounts:read'));
    expect(known.errors[0]).toMatchObject({
      message: 'The account 4711 is broken.',
      extensions: { code: 'CONFLICT' },
    });
  });
});

describe('types', () => {
  test('an enum that is guarded nulls what returns it, and may still be an argument', async () => {
    const answer = await router.query('{ accounts(filter: { status: OPEN }) { name status } }');
    expect(answer.data).toEqual({
      accounts: [
        { name: 'Ada', status: null },
        { name: 'Ada', status: null },
      ],
    });
    expect((await router.query('{ account { status } }', await signed())).data).toEqual({
      account: { status: 'OPEN' },
    });
  });

  test('a root type that is guarded guards every field of it', async () => {
    const supergraph = compose({
      a: `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@authenticated"])
        type Query @authenticated { one: Int two: Two } type Two { three: Int }`,
    });
    const closed = await startTestRouter({ supergraph, subgraphUrl: () => undefined }, { issuer });
    const answer = await closed.query('{ one ...F } fragment F on Query { two { three } }');
    expect(answer.data).toEqual({ one: null, two: null });
    expect(answer.errors.map(({ path }) => path)).toEqual([['one'], ['two']]);
    await closed.close();
  });

  test('scopes of which there are none are no requirement', async () => {
    expect((await router.query('{ account { open } }')).data).toEqual({ account: { open: 'yes' } });
  });

  test('what an interface object adds to an interface is guarded on each of its types', async () => {
    const query = '{ things { ... on Book { id rating } } }';
    const scope = await signed('diaries:read');
    expect((await router.query('{ things { id rating } }', scope)).data).toEqual({
      things: [
        { id: 'b1', rating: 5 },
        { id: 'd1', rating: 5 },
      ],
    });
    expect((await router.query(query)).data).toEqual({ things: null });
    const older = graph.supergraph.replace(/(interface Thing[^{]*?)@requiresScopes\(.*?\)\s*\{/s, '$1{');
    expect(older).not.toBe(graph.supergraph);
    const other = await startTestRouter({ ...graph, supergraph: older }, { issuer });
    expect((await other.query(query)).data).toEqual({ things: [{ id: 'b1', rating: null }, {}] });
    expect((await other.query('{ things { id } }')).errors.map(({ path }) => path)).toEqual([['things']]);
    expect((await other.query('{ things { ... { id } } }')).data).toEqual({ things: null });
    await other.close();
  });

  test('one that clients may not know of changes nothing', async () => {
    const answer = await router.query('{ account { ... on Ghost { name } } }');
    expect(codesOf(answer)).toEqual(['GRAPHQL_VALIDATION_FAILED']);
  });
});
