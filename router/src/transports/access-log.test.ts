import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { createTestIssuer } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { collect, startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import { until } from '../testing/until.ts';

let graph: TestGraph;
let issuer: TestIssuer;
let router: TestRouter;
let written: string[] = [];
const stream = { write: (line: string) => void written.push(line) };
const lines = (): unknown[] => written.map((line) => JSON.parse(line));

beforeAll(async () => {
  graph = await startTestGraph();
  issuer = await createTestIssuer();
  router = await startTestRouter(graph, {
    issuer,
    accessLog: { stream },
    batching: { maximum: 5 },
    csrfPrevention: true,
    maxBodyBytes: 10_000,
    demand: { mode: 'measure' },
  });
});

beforeEach(() => {
  written = [];
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

const headers = { 'x-request-id': 'req-1', 'apollographql-client-name': 'web', 'apollographql-client-version': '1.2' };

test('an operation is one line, with nothing of what it said', async () => {
  const token = await issuer.sign({ sub: 'usr_1' });
  const query = 'query Secretly($id: ID!) { person(id: $id) { name } }';
  const answer = await router.query(query, { token, variables: { id: 'hush-hush' }, headers });
  expect(written).toHaveLength(1);
  expect(lines()[0]).toEqual({
    level: 30,
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    name: 'access',
    requestId: 'req-1',
    transport: 'http',
    operation: 'query',
    operationName: 'Secretly',
    document: createHash('sha256').update(query).digest('hex'),
    client: 'web',
    clientVersion: '1.2',
    user: 'usr_1',
    outcome: 'ok',
    status: 200,
    bytes: Buffer.byteLength(answer.text),
    estimatedCost: 1,
    cost: 1,
    ms: expect.any(Number),
  });
  for (const secret of [token, 'hush', '$id', 'person']) expect(written[0]).not.toContain(secret);
});

test('what is refused and what fails says by which code', async () => {
  await router.query('{ nothing somethingPrivate }', {
    headers: { ...headers, accept: 'application/graphql-response+json' },
  });
  await router.query('query Who { refuses me { id } }', { headers });
  expect(lines()).toMatchObject([
    { outcome: 'refused', codes: ['GRAPHQL_VALIDATION_FAILED'], status: 400, bytes: expect.any(Number) },
    { outcome: 'errors', codes: ['UNAUTHORIZED_FIELD_OR_TYPE', 'CONFLICT'], status: 200, operationName: 'Who' },
  ]);
  for (const text of ['somethingPrivate', 'Somebody was faster']) expect(written.join('')).not.toContain(text);
});

test('requests that are refused before are one line each, too', async () => {
  const post = (body: string, more: Record<string, string>) =>
    fetch(router.url, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers, ...more } });
  await post('{"query":"{ __typename }"}', { authorization: 'Bearer nonsense' });
  await post('{"query":"{ __typename }"}', { 'content-type': 'text/plain' });
  await post('{"query":', {});
  await post(JSON.stringify({ query: `{ __typename } # ${'x'.repeat(10_000)}` }), {});
  await fetch(`${router.url}?query=${encodeURIComponent('mutation { rename(name: "x") { id } }')}`, {
    headers: { ...headers, 'apollo-require-preflight': '1' },
  });
  expect(lines()).toMatchObject([
    { outcome: 'refused', status: 401, codes: ['UNAUTHENTICATED'], requestId: 'req-1', client: 'web' },
    { outcome: 'refused', status: 400, codes: ['CSRF_PREVENTION'] },
    { outcome: 'refused', status: 400, codes: ['BAD_REQUEST'] },
    { outcome: 'refused', status: 413, codes: ['PAYLOAD_TOO_LARGE'] },
    { outcome: 'refused', status: 405, codes: ['METHOD_NOT_ALLOWED'] },
  ]);
});

test('each of a batch is a line, under one request id', async () => {
  await fetch(router.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify([{ query: 'query A { __typename }' }, { query: '{ nothing }' }]),
  });
  expect(lines()).toMatchObject([{ requestId: 'req-1' }, { requestId: 'req-1' }]);
  expect(new Set(written.map((line) => /"outcome":"(?<outcome>\w+)"/.exec(line)?.groups?.['outcome']))).toEqual(
    new Set(['ok', 'refused']),
  );
});

test('operations over a websocket are lines; a subscription is one, when it ends', async () => {
  const client = router.wsClient(await issuer.sign({ sub: 'usr_2' }));
  await collect(client, { query: 'query Who { who { userId } }' });
  expect(lines()).toMatchObject([{ transport: 'ws', operationName: 'Who', user: 'usr_2', outcome: 'ok' }]);
  await collect(client, { query: '{ nothing }' });
  const ticking = collect(client, { query: 'subscription Ticks { ticks(count: 3) { sequence } }' }, () => graph.tick());
  expect((await ticking).events).toHaveLength(3);
  await until(() => written.length === 3);
  expect(lines().slice(1)).toMatchObject([
    { transport: 'ws', outcome: 'refused', codes: ['GRAPHQL_VALIDATION_FAILED'] },
    { transport: 'ws', operation: 'subscription', operationName: 'Ticks', events: 3, outcome: 'ok' },
  ]);
});

test('what a client names itself breaks no line', async () => {
  await router.query('{ __typename }', {
    headers: {
      'apollographql-client-name': 'a","user":"root',
      'x-request-id': 'a"b',
      'apollographql-client-version': '1',
    },
  });
  expect(written).toHaveLength(1);
  expect(lines()[0]).not.toHaveProperty('client');
  expect(lines()[0]).not.toHaveProperty('user');
  expect(lines()[0]).toMatchObject({ clientVersion: '1', requestId: expect.stringMatching(/^[\da-f-]{36}$/) });
});

test('a sample leaves out what went well, and nothing else', async () => {
  const sampled = await startTestRouter(graph, { accessLog: { stream, sample: 0 } });
  await sampled.query('{ __typename }');
  await sampled.query('{ nothing }');
  await sampled.query('{ refuses }');
  expect(lines()).toMatchObject([{ outcome: 'refused' }, { outcome: 'errors' }]);
  await sampled.close();
});
