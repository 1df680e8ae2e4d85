import { createLogger } from '@timbre/platform/logger';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { get, named, post, sha256 } from '../testing/persisted-queries.ts';
import { openSocket } from '../testing/raw-socket.ts';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { createTestIssuer } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { codesOf, startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import type { DocumentsOptions, TrustedMode } from './documents-policy.ts';
import { manifestOf } from './operation-manifest.ts';

let graph: TestGraph;
let issuer: TestIssuer;
const routers: TestRouter[] = [];

beforeAll(async () => {
  graph = await startTestGraph();
  issuer = await createTestIssuer();
});

afterEach(async () => {
  await Promise.all(routers.splice(0).map((router) => router.close()));
});

afterAll(async () => {
  await graph.close();
});

async function start(documents: DocumentsOptions | null, options = {}): Promise<TestRouter> {
  const router = await startTestRouter(graph, { issuer, documents, ...options });
  routers.push(router);
  return router;
}

describe('trusted documents', () => {
  const OPERATIONS = `
    query Person($id: ID!) { person(id: $id) { ...Names ...Voices } }
    fragment Voices on Person { voices(first: 1) { id } }
    fragment Names on Person { id name }
    mutation Rename($name: String!) { rename(name: $name) { id } }
  `;
  const APOLLO = manifestOf(OPERATIONS, 'apollo-client');
  const MANIFEST = JSON.stringify(APOLLO);
  const personId = APOLLO.operations.find(({ name }) => name === 'Person')?.id ?? '';
  const variables = { id: 'p1' };
  const OTHER = '{ who { userId } }';
  const FREEFORM = 'schema:freeform';
  const trusting = (mode: TrustedMode, automatic: DocumentsOptions['automatic'] = null): DocumentsOptions => ({
    automatic,
    trusted: { manifest: MANIFEST, mode, freeformScope: FREEFORM },
  });
  const MODES = ['off', 'log', 'enforce', 'enforce-ids'] as const;

  test.each(MODES)('%s: an id of the manifest is answered', async (mode) => {
    const router = await start(trusting(mode));
    const answer = await post(router, { extensions: named(personId), variables });
    expect(answer.data).toMatchObject({ person: { id: 'p1', __typename: 'Person' } });
    const viaGet = await get(router, {
      extensions: JSON.stringify(named(personId)),
      variables: JSON.stringify(variables),
      operationName: 'Person',
    });
    expect(viaGet.data).toEqual(answer.data);
  });

  test.each([
    ['off', 200, undefined],
    ['log', 200, undefined],
    ['enforce', 403, 'QUERY_NOT_IN_SAFELIST'],
    ['enforce-ids', 400, 'PERSISTED_QUERY_ID_REQUIRED'],
  ] as const)('%s: another document is answered with %d %s', async (mode, status, code) => {
    const router = await start(trusting(mode));
    const answer = await post(router, { query: OTHER });
    expect([answer.status, codesOf(answer)]).toEqual([status, code === undefined ? [] : [code]]);
    const exempt = await post(router, { query: OTHER }, await bearer({ scope: FREEFORM }));
    expect([exempt.status, exempt.errors]).toEqual([200, []]);
  });

  test.each([
    ['as Apollo Client sends it', APOLLO.operations.find(({ name }) => name === 'Person')?.body ?? '', true],
    [
      'in another order, with comments and without white space',
      'fragment Names on Person{id,name __typename},,,#x\nfragment Voices on Person{voices(first:1){id __typename}__typename}query Person($id:ID!){person(id:$id){...Names...Voices __typename}}',
      true,
    ],
    [
      'with its fields in another order',
      'query Person($id: ID!) { person(id: $id) { ...Names ...Voices __typename } } fragment Names on Person { name id __typename } fragment Voices on Person { voices(first: 1) { id __typename } __typename }',
      false,
    ],
    [
      'with one more field',
      'query Person($id: ID!) { person(id: $id) { ...Names ...Voices email __typename } } fragment Names on Person { id name __typename } fragment Voices on Person { voices(first: 1) { id __typename } __typename }',
      false,
    ],
    [
      'with one more operation',
      `${APOLLO.operations.find(({ name }) => name === 'Person')?.body} query Other { who { userId } }`,
      false,
    ],
    ['with a word in a comment that is none', 'query Person($id: ID!) { person(id: $id) { id } } "#"', false],
    ['cut off', APOLLO.operations.find(({ name }) => name === 'Person')?.body.slice(0, -1) ?? '', false],
    ['as nonsense', '\u0000', false],
    ['as ten thousand braces', '{a'.repeat(10_000), false],
  ])('enforce: a document %s', async (_name, query, trusted) => {
    const router = await start(trusting('enforce'));
    const answer = await post(router, { query, variables, operationName: 'Person' });
    expect(codesOf(answer)).toEqual(trusted ? [] : ['QUERY_NOT_IN_SAFELIST']);
  });

  test.each(MODES)('%s: unknown ids, and ids beside documents, by whether there is anything else', async (mode) => {
    const restricts = mode === 'enforce' || mode === 'enforce-ids';
    const alone = await start(trusting(mode));
    const unknown = await post(alone, { extensions: named(sha256(OTHER)) });
    expect([unknown.status, codesOf(unknown)]).toEqual([404, ['PERSISTED_QUERY_NOT_IN_LIST']]);
    const both = await post(alone, { query: OTHER, extensions: named(sha256(OTHER)) });
    expect([both.status, codesOf(both)]).toEqual([400, ['CANNOT_SEND_PQ_ID_AND_BODY']]);

    const beside = await start(trusting(mode, {}));
    const asked = await post(beside, { extensions: named(sha256(OTHER)) });
    expect(codesOf(asked)).toEqual([restricts ? 'PERSISTED_QUERY_NOT_IN_LIST' : 'PERSISTED_QUERY_NOT_FOUND']);
    const sent = await post(beside, { query: OTHER, extensions: named(sha256(OTHER)) });
    expect(codesOf(sent)).toEqual(restricts ? ['CANNOT_SEND_PQ_ID_AND_BODY'] : []);
    const exempt = await bearer({ scope: FREEFORM });
    expect((await post(beside, { query: OTHER, extensions: named(sha256(OTHER)) }, exempt)).errors).toEqual([]);
    expect((await post(beside, { extensions: named(sha256(OTHER)) }, exempt)).errors).toEqual([]);
    // What the exempt sent is not thereby anybody's.
    const then = await post(beside, { extensions: named(sha256(OTHER)) });
    expect(codesOf(then)).toEqual(restricts ? ['PERSISTED_QUERY_NOT_IN_LIST'] : []);
  });

  test('log: what is not of the list is logged once, without what is in it', async () => {
    const lines: string[] = [];
    const log = createLogger({ name: 'test', level: 'warn', stream: { write: (line) => void lines.push(line) } });
    const router = await start(trusting('log'), { log });
    const secret = 'query Snoop { person(id: "confidential") { name } }';
    const headers = { 'apollographql-client-name': 'snooper' };
    for (let i = 0; i < 3; i += 1) await post(router, { query: secret, operationName: 'Snoop' }, headers);
    await post(router, { extensions: named(personId), variables });
    await post(router, { query: secret }, await bearer({ scope: FREEFORM }));
    expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
      { sha256: sha256(secret), operationName: 'Snoop', client: { name: 'snooper' } },
    ]);
    expect(lines[0]).not.toContain('confidential');
    await post(router, { query: '{ people { id } }', operationName: 'x'.repeat(100_000) });
    expect(lines[1]).toContain(`"${'x'.repeat(128)}"`);
  });

  test('a document of the list is refused where only ids are taken', async () => {
    const router = await start(trusting('enforce-ids'));
    const answer = await post(router, { query: APOLLO.operations[0]?.body, variables });
    expect(codesOf(answer)).toEqual(['PERSISTED_QUERY_ID_REQUIRED']);
  });

  test.each(['enforce', 'enforce-ids'] as const)(
    '%s: the schema may be asked for by those who may ask for it, and nothing beside it',
    async (mode) => {
      const mayIntrospect = ({ scopes }: { scopes: readonly string[] }) => scopes.includes('schema:introspect');
      const router = await start(trusting(mode), { mayIntrospect });
      const schema = 'query { ...S } fragment S on Query { __schema { queryType { name } } __typename }';
      const allowed = await bearer({ scope: 'schema:introspect' });
      expect((await post(router, { query: schema }, allowed)).errors).toEqual([]);
      expect((await post(router, { query: schema })).errors).not.toEqual([]);
      const more = '{ __schema { queryType { name } } who { userId } }';
      expect((await post(router, { query: more }, allowed)).errors).not.toEqual([]);
      const loop = '{ ...S } fragment S on Query { ...S }';
      expect((await post(router, { query: loop }, allowed)).errors).not.toEqual([]);
    },
  );

  test('another manifest takes its place at once, and a bad one does not', async () => {
    const router = await start(trusting('enforce'));
    const next = manifestOf('query Who { who { userId } }', 'apollo-client');
    for (const [bad, complaint] of [
      ['', 'Syntax Error'],
      ['query { anonymous }', 'has no name'],
      ['query A { ...B }', 'no fragment B'],
      ['query A { a } query A { b }', 'Two operations are named A'],
      ['{"format":"other"}', 'apollo-persisted-query-manifest'],
      ['{"', 'JSON'],
    ] as const) {
      expect(() => router.trust(bad)).toThrow(complaint);
    }
    expect((await post(router, { extensions: named(personId), variables })).errors).toEqual([]);
    router.trust(JSON.stringify(next));
    expect((await post(router, { extensions: named(next.operations[0]?.id) })).errors).toEqual([]);
    expect(codesOf(await post(router, { extensions: named(personId), variables }))).toEqual([
      'PERSISTED_QUERY_NOT_IN_LIST',
    ]);
    expect(codesOf(await post(router, { query: APOLLO.operations[0]?.body, variables }))).toEqual([
      'QUERY_NOT_IN_SAFELIST',
    ]);
  });

  test('holds over websockets', async () => {
    const router = await start(trusting('enforce'));
    const socket = await openSocket(router.wsUrl);
    socket.say({ type: 'connection_init' });
    await socket.hear('connection_ack');
    socket.say({ id: '1', type: 'subscribe', payload: { query: 'subscription { ticks(count: 1) { sequence } }' } });
    expect(await socket.hear('error')).toMatchObject({ payload: [{ extensions: { code: 'QUERY_NOT_IN_SAFELIST' } }] });
    socket.say({ id: '1', type: 'subscribe', payload: { extensions: named(personId), variables } });
    expect(await socket.hear('next')).toMatchObject({ payload: { data: { person: { id: 'p1' } } } });
    socket.socket.terminate();
  });
});

async function bearer(claims: Record<string, unknown>): Promise<Record<string, string>> {
  return { authorization: `Bearer ${await issuer.sign(claims)}` };
}
