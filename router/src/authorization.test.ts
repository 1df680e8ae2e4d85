import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestGraph } from './testing/test-graph.ts';
import type { TestGraph } from './testing/test-graph.ts';
import { createTestIssuer } from './testing/test-issuer.ts';
import type { TestIssuer } from './testing/test-issuer.ts';
import { codesOf, startTestRouter } from './testing/test-router.ts';
import type { TestRouter } from './testing/test-router.ts';

let graph: TestGraph;
let issuer: TestIssuer;
let router: TestRouter;

beforeAll(async () => {
  graph = await startTestGraph();
  issuer = await createTestIssuer();
  router = await startTestRouter(graph, { issuer });
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

const DENIED = 'UNAUTHORIZED_FIELD_OR_TYPE';
const withScope = (scope: string) => issuer.sign({ scope });
const pathsOf = (answer: { errors: readonly { path?: readonly (string | number)[] | undefined }[] }) =>
  answer.errors.map((error) => error.path?.join('.'));

describe('fields', () => {
  test('a root field that is not allowed is null, and nothing around it', async () => {
    const answer = await router.query('{ me { id } person(id: "p1") { name } }');
    expect(answer.data).toEqual({ me: null, person: { name: 'Person p1' } });
    expect(answer.errors).toMatchObject([{ path: ['me'], extensions: { code: DENIED } }]);
  });

  test('a field without its scope is null with its path, in lists too', async () => {
    const answer = await router.query('{ people(first: 2) { name email } }', { token: await withScope('') });
    expect(answer.data).toEqual({
      people: [
        { name: 'Person p0', email: null },
        { name: 'Person p1', email: null },
      ],
    });
    expect(pathsOf(answer)).toEqual(['people.0.email', 'people.1.email']);
    expect(codesOf(answer)).toEqual([DENIED, DENIED]);
  });

  test('one of the scope groups suffices; of a group, all', async () => {
    const query = '{ person(id: "p1") { email badge } }';
    const admin = await router.query(query, { token: await withScope('admin:users') });
    expect(admin.data).toEqual({ person: null });
    const some = await router.query('{ person(id: "p1") { email } }', { token: await withScope('admin:users') });
    expect(some.data).toEqual({ person: { email: 'p1@example.com' } });
    const half = await router.query(query, { token: await withScope('profile:read') });
    expect(half.data).toEqual({ person: null });
    const all = await router.query(query, { token: await withScope('profile:read badges:read') });
    expect(all.data).toEqual({ person: { email: 'p1@example.com', badge: 'badge-p1' } });
  });

  test('a scope family with an asterisk stands for its members', async () => {
    const answer = await router.query('{ person(id: "p1") { email } }', { token: await withScope('admin:*') });
    expect(answer.data).toEqual({ person: { email: 'p1@example.com' } });
  });

  test('a non-null field that is not allowed nulls its parent, with the error at the field', async () => {
    const answer = await router.query('{ person(id: "p1") { name badge } who { userId } }');
    expect(answer.data).toEqual({ person: null, who: { userId: null } });
    expect(pathsOf(answer)).toEqual(['person.badge']);
  });

  test('a type that is not allowed nulls every field that returns it', async () => {
    const answer = await router.query('{ person(id: "p1") { name secret { value } } }');
    expect(answer.data).toEqual({ person: { name: 'Person p1', secret: null } });
    expect(pathsOf(answer)).toEqual(['person.secret']);
    const known = await router.query('{ person(id: "p1") { secret { value } } }', { token: await withScope('') });
    expect(known.data).toEqual({ person: { secret: { value: 'secret of p1' } } });
  });

  test('an object whose every field is taken out stays, and a missing one stays missing', async () => {
    const answer = await router.query('{ person(id: "p1") { email } gone: person(id: "gone") { email } }');
    expect(answer.data).toEqual({ person: { email: null }, gone: null });
    expect(pathsOf(answer)).toEqual(['person.email']);
  });

  test('what remains of an object may hold for nothing: it is there all the same', async () => {
    const query =
      'query ($no: Boolean!) { person(id: "p1") @skip(if: $no) { email ... on Node { ... on Document { id } } } }';
    const options = { token: await withScope('documents:read'), variables: { no: false } };
    const answer = await router.query(query, options);
    expect(answer.data).toEqual({ person: { email: null } });
    expect(codesOf(answer)).toEqual([DENIED]);
    const { data, errors } = await router.query(query.replace('email ', ''), options);
    expect({ data, errors }).toEqual({ data: { person: {} }, errors: [] });
  });

  test('a key that was fetched for the router itself does not show', async () => {
    const answer = await router.query('{ card { number limit } }');
    expect(answer.data).toEqual({ card: { number: null, limit: 1000 } });
    expect(pathsOf(answer)).toEqual(['card.number']);
    expect(answer.text).not.toContain('4711');
    expect(answer.text).not.toContain('valueCompletion');
  });

  test('a mutation that is not allowed never reaches its subgraph', async () => {
    const answer = await router.query('mutation { rename(name: "Mallory") { name } }');
    expect(answer.data).toEqual({ rename: null });
    expect(codesOf(answer)).toEqual([DENIED]);
    expect(graph.calls).not.toContain('rename Mallory');
  });
});

describe('ways around', () => {
  const secrets = /p1@example\.com|badge-p1|secret of p1|Title d1|4711/;

  test.each([
    ['an alias', '{ person(id: "p1") { name: email } }'],
    ['an alias of another field', '{ person(id: "p1") { id: email } }'],
    ['an inline fragment', '{ person(id: "p1") { ... { email } ... on Person { email } } }'],
    ['a named fragment', '{ person(id: "p1") { ...A } } fragment A on Person { ...B } fragment B on Person { email }'],
    ['a fragment on an interface', '{ person(id: "p1") { ... on Node { ... on Person { email } } } }'],
    ['@include', 'query ($yes: Boolean = true) { person(id: "p1") { email @include(if: $yes) } }'],
    ['@skip', '{ person(id: "p1") { email @skip(if: false) secret @skip(if: false) { value } } }'],
    ['the same field twice', '{ person(id: "p1") { email } person(id: "p1") { email } }'],
    ['another entity path', '{ voice(id: "p1-v0") { owner { email secret { value } } } }'],
    ['an interface', '{ node(id: "p1") { id ... on Person { email } } }'],
    ['an interface of a forbidden type', '{ node(id: "d1") { ... on Document { title } } }'],
    ['a union', '{ search { ... on Person { email } ... on Document { title } } }'],
    ['a key by alias', '{ card { limit: number } }'],
  ])('%s does not help', async (_name, query) => {
    const answer = await router.query(query);
    expect(answer.status).toBe(200);
    expect(answer.text).not.toMatch(secrets);
    expect(codesOf(answer)).toContain(DENIED);
  });
});

describe('abstract types', () => {
  test('an interface to which composition gave the requirements of its types needs all of them', async () => {
    const query = '{ node(id: "p1") { __typename id } }';
    const anonymous = await router.query(query);
    expect(anonymous.data).toEqual({ node: null });
    expect(pathsOf(anonymous)).toEqual(['node']);
    const reader = await router.query(query, { token: await withScope('documents:read') });
    expect(reader.data).toEqual({ node: { __typename: 'Person', id: 'p1' } });
  });

  describe('on a supergraph of a composition that left interfaces alone', () => {
    let older: TestRouter;

    beforeAll(async () => {
      const supergraph = graph.supergraph.replace(/(interface Node[^{]*?)@requiresScopes\(.*?\)\s*\{/s, '$1{');
      if (supergraph === graph.supergraph) throw new Error('The interface has no requirement of its own.');
      older = await startTestRouter({ ...graph, supergraph }, { issuer });
    });

    afterAll(() => older.close());

    test('an interface field is for those who may read it of every possible type', async () => {
      const query = '{ node(id: "p1") { __typename id } }';
      const anonymous = await older.query(query);
      expect(anonymous.data).toEqual({ node: null });
      expect(pathsOf(anonymous)).toEqual(['node']);
      const reader = await older.query(query, { token: await withScope('documents:read') });
      expect(reader.data).toEqual({ node: { __typename: 'Person', id: 'p1' } });
    });

    test('a fragment on an allowed type shows what the interface does not', async () => {
      const answer = await older.query(
        '{ node(id: "p1") { ... on Person { id name email } ... on Document { id title } } }',
      );
      expect(answer.data).toEqual({ node: { id: 'p1', name: 'Person p1', email: null } });
      expect(pathsOf(answer)).toEqual(['node.email']);
    });

    test('what an interface hides of one type stays hidden when another type shows it', async () => {
      const query = '{ node(id: "d1") { ... on Person { title: name } ... on Document { title } } }';
      const answer = await older.query(query);
      expect(answer.data).toEqual({ node: { title: null } });
      expect(answer.text).not.toContain('Title d1');
    });
  });

  test('of a union, each member shows what is allowed of it', async () => {
    const answer = await router.query(
      '{ search { __typename ... on Person { name email } ... on Document { title } } }',
    );
    expect(answer.data).toEqual({
      search: [
        { __typename: 'Person', name: 'Person p1', email: null },
        { __typename: 'Document', title: null },
      ],
    });
    expect(pathsOf(answer)).toEqual(['search.0.email', 'search.1.title']);
    const reader = await router.query('{ search { ... on Document { title } } }', {
      token: await withScope('documents:read'),
    });
    expect(reader.data).toEqual({ search: [{}, { title: 'Title d1' }] });
  });

  test('the router asks for types under a name of its own and keeps it to itself', async () => {
    const answer = await router.query('{ search { ... on Person { email } } }');
    expect(answer.data).toEqual({ search: [{ email: null }, {}] });
  });
});

describe('the plan cache', () => {
  const query = '{ me { name } person(id: "p1") { name email secret { value } } }';

  test('gives an anonymous caller nothing of an authenticated one, nor the other way round', async () => {
    const token = await withScope('profile:read');
    const full = {
      me: { name: 'Person user-1' },
      person: { name: 'Person p1', email: 'p1@example.com', secret: { value: 'secret of p1' } },
    };
    const empty = { me: null, person: { name: 'Person p1', email: null, secret: null } };
    expect((await router.query(query, { token })).data).toEqual(full);
    expect((await router.query(query)).data).toEqual(empty);
    expect((await router.query(query, { token })).data).toEqual(full);
    expect((await router.query(query, { token: await withScope('') })).data).toEqual({
      ...full,
      person: { ...full.person, email: null },
    });
  });

  test('is shared by callers who may see the same', async () => {
    const other = '{ person(id: "p2") { name email } }';
    await router.query(other, { token: await issuer.sign({ sub: 'a', scope: 'profile:read' }) });
    const before = await router.metric('timbre_router_plan_cache_lookups_total');
    const misses = await planMisses();
    await router.query(other, { token: await issuer.sign({ sub: 'b', scope: 'profile:read unrelated' }) });
    expect(await router.metric('timbre_router_plan_cache_lookups_total')).toBe(before + 1);
    expect(await planMisses()).toBe(misses);
  });
});

async function planMisses(): Promise<number> {
  const response = await fetch(new URL('/metrics', router.url));
  const line = (await response.text()).split('\n').find((text) => /plan_cache_lookups_total\{.*miss/.test(text));
  return Number(line?.split(' ').at(-1));
}
