import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestGraph } from '../../testing/test-graph.ts';
import type { TestGraph } from '../../testing/test-graph.ts';
import { answerOf, codesOf, startTestRouter } from '../../testing/test-router.ts';
import type { TestRouter } from '../../testing/test-router.ts';

let graph: TestGraph;
let router: TestRouter;
let strict: TestRouter;

const MAX_BODY = 100_000;

beforeAll(async () => {
  graph = await startTestGraph();
  router = await startTestRouter(graph, { maxBodyBytes: MAX_BODY });
  strict = await startTestRouter(graph, {
    mayIntrospect: () => false,
  });
});

afterAll(async () => {
  await Promise.all([router.close(), strict.close()]);
  await graph.close();
});

const JSON_TYPE = 'application/json';
const GRAPHQL_TYPE = 'application/graphql-response+json';
const post = async (body: unknown, headers: Record<string, string> = {}, url = router.url) =>
  answerOf(
    await fetch(url, {
      method: 'POST',
      headers: { 'content-type': JSON_TYPE, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    }),
  );
const get = async (parameters: Record<string, string>, headers: Record<string, string> = {}, url = router.url) =>
  answerOf(await fetch(`${url}?${new URLSearchParams(parameters).toString()}`, { headers }));

describe('status and media type', () => {
  const refused = [
    ['a syntax error', { query: '{' }, 'GRAPHQL_PARSE_FAILED'],
    ['an unknown field', { query: '{ nothing }' }, 'GRAPHQL_VALIDATION_FAILED'],
    ['a variable that does not fit', { query: 'query ($id: ID!) { person(id: $id) { id } }' }, 'BAD_USER_INPUT'],
    ['an unknown operation', { query: '{ who { userId } }', operationName: 'X' }, 'OPERATION_RESOLUTION_FAILURE'],
    [
      'several operations and no name',
      { query: 'query A { me { id } } query B { me { id } }' },
      'OPERATION_RESOLUTION_FAILURE',
    ],
    [
      'null for a condition',
      { query: 'query ($x: Boolean = true) { who { userId @skip(if: $x) } }', variables: { x: null } },
      'BAD_USER_INPUT',
    ],
  ] as const;

  test.each(refused)('%s: 200 for application/json, 400 for the newer type', async (_name, body, code) => {
    const legacy = await post(body, { accept: JSON_TYPE });
    expect([legacy.status, legacy.type]).toEqual([200, `${JSON_TYPE}; charset=utf-8`]);
    const modern = await post(body, { accept: GRAPHQL_TYPE });
    expect([modern.status, modern.type]).toEqual([400, `${GRAPHQL_TYPE}; charset=utf-8`]);
    for (const answer of [legacy, modern]) {
      expect(codesOf(answer)).toEqual([code]);
      expect(answer.data).toBeUndefined();
    }
  });

  test.each([
    ['no Accept', undefined, JSON_TYPE],
    ['anything', '*/*', JSON_TYPE],
    ['the newer type', GRAPHQL_TYPE, GRAPHQL_TYPE],
    ['both', `${GRAPHQL_TYPE}, ${JSON_TYPE};q=0.9`, GRAPHQL_TYPE],
    ['both, the older one rather', `${GRAPHQL_TYPE};q=0.5, ${JSON_TYPE}`, JSON_TYPE],
  ])('%s', async (_name, accept, expected) => {
    const answer = await post({ query: '{ who { userId } }' }, accept === undefined ? {} : { accept });
    expect(answer.status).toBe(200);
    expect(answer.type).toContain(expected);
  });

  test.each([
    ['no query', { operationName: 'A' }],
    ['a query that is no string', { query: 1 }],
    ['variables that are a list', { query: '{ me { id } }', variables: [] }],
    ['no JSON', '{'],
    ['null', 'null'],
  ])('%s: 400', async (_name, body) => {
    const answer = await post(body);
    expect(answer.status).toBe(400);
    expect(codesOf(answer)).toEqual(['BAD_REQUEST']);
  });

  test('bytes that are no text are not taken for text', async () => {
    const body = Buffer.from('{"query":"{ person(id: \\"?\\") { id } }"}');
    body[body.indexOf('?')] = 0xff;
    const answer = await answerOf(
      await fetch(router.url, { method: 'POST', headers: { 'content-type': JSON_TYPE }, body }),
    );
    expect([answer.status, answer.errors[0]?.message]).toEqual([400, 'The body is not UTF-8.']);
  });

  test('what cannot be answered or read has its own status', async () => {
    expect((await post({ query: '{ me { id } }' }, { accept: 'text/plain' })).status).toBe(406);
    expect((await post('query=x', { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(415);
    expect((await post({}, { 'content-encoding': 'compress' })).status).toBe(415);
    expect((await get({ query: '{ me { id } }' }, { 'content-type': 'text/plain' })).status).toBe(415);
    const put = await fetch(router.url, { method: 'PUT', body: '{}' });
    expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, POST, OPTIONS']);
  });
});

describe('GET', () => {
  test('is for queries', async () => {
    const answer = await get({ query: 'query ($id: ID!) { person(id: $id) { name } }', variables: '{"id":"p1"}' });
    expect(answer.data).toEqual({ person: { name: 'Person p1' } });
  });

  test('is not for mutations', async () => {
    const answer = await get({ query: 'mutation { rename(name: "by link") { name } }' });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST']);
    expect(graph.calls).not.toContain('rename by link');
  });

  test('a subscription says where it belongs', async () => {
    for (const answer of [
      await get({ query: 'subscription { ticks(count: 1) { sequence } }' }),
      await post({ query: 'subscription { ticks(count: 1) { sequence } }' }),
    ]) {
      expect(answer.status).toBe(400);
      expect(answer.errors[0]?.message).toContain('graphql-transport-ws');
    }
  });

  test('a URL that is none of ours does no harm', async () => {
    const status = await new Promise((resolve, reject) => {
      request(router.url, { path: '//' }, (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end();
    });
    expect(status).toBe(400);
  });
});

describe('body size', () => {
  test('10 MB are refused with the limit, while the client is still writing', async () => {
    const query = `{ person(id: "${'x'.repeat(10_000_000)}") { id } }`;
    const answer = await post({ query });
    expect(answer.status).toBe(413);
    expect(answer.errors).toMatchObject([
      { extensions: { code: 'PAYLOAD_TOO_LARGE', details: { maximum: MAX_BODY } } },
    ]);
  });

  test('also when the length is not announced', async () => {
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new Uint8Array(50_000).fill(32));
        if ((sent += 50_000) > 5_000_000) controller.close();
      },
    });
    let sent = 0;
    const response = await fetch(router.url, {
      method: 'POST',
      headers: { 'content-type': JSON_TYPE },
      body: stream,
      duplex: 'half',
    });
    expect(response.status).toBe(413);
  });
});

test('introspection is refused where it is not allowed, and names are not suggested', async () => {
  const answer = await post(
    { query: 'query { ...A } fragment A on Query { __schema { queryType { name } } }' },
    {},
    strict.url,
  );
  expect(codesOf(answer)).toEqual(['INTROSPECTION_DISABLED']);
  const typo = await post({ query: '{ persn(id: 1) { id } }' }, {}, strict.url);
  expect(typo.errors[0]?.message).not.toContain('person');
  expect((await post({ query: '{ __typename }' }, {}, strict.url)).data).toEqual({ __typename: 'Query' });
  expect((await post({ query: '{ __schema { queryType { name } } }' })).data).toEqual({
    __schema: { queryType: { name: 'Query' } },
  });
});

describe('the request id', () => {
  test('of a harmless form is kept, told to subgraphs and echoed', async () => {
    const answer = await post({ query: '{ who { requestId } }' }, { 'x-request-id': 'abc-1.2_3' });
    expect(answer.headers.get('x-request-id')).toBe('abc-1.2_3');
    expect(answer.data).toEqual({ who: { requestId: 'abc-1.2_3' } });
  });

  test('of any other form is replaced', async () => {
    for (const sent of ['a b', 'x'.repeat(65), '<script>']) {
      const { headers } = await post({ query: '{ __typename }' }, { 'x-request-id': sent });
      expect(headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/);
    }
  });
});

test('inbound identity headers count for nothing', async () => {
  const forged = await post({ query: '{ me { id } who { userId roles } }' }, { 'x-timbre-identity': 'v1.e30.e30' });
  expect(forged.data).toEqual({ me: null, who: { userId: null, roles: [] } });
});
