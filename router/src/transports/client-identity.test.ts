import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSocket } from '../testing/raw-socket.ts';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { codesOf, startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';

let graph: TestGraph;
let router: TestRouter;

beforeAll(async () => {
  graph = await startTestGraph();
  router = await startTestRouter(graph, { requireClient: true, batching: { maximum: 2 } });
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

const NAME = 'apollographql-client-name';
const VERSION = 'apollographql-client-version';

test.each([
  { [NAME]: 'com.example.app', [VERSION]: '1.2.3+45' },
  { 'graphql-client-name': '@example/web (canary)', 'graphql-client-version': '2026-01-01~beta' },
  { [NAME]: 'a'.repeat(100), 'graphql-client-version': '1' },
])('a client that says %j may ask', async (headers) => {
  expect((await router.query('{ __typename }', { headers })).data).toEqual({ __typename: 'Query' });
});

test.each([
  {},
  { [NAME]: 'app' },
  { [VERSION]: '1' },
  { [NAME]: '', [VERSION]: '1' },
  { [NAME]: 'a'.repeat(101), [VERSION]: '1' },
  { [NAME]: 'app"} 1\\n', [VERSION]: '1' },
  { [NAME]: 'app', [VERSION]: '1{}' },
  { [NAME]: 'äpp', [VERSION]: '1' },
  { [NAME]: '=cmd|calc', [VERSION]: '1' },
  { [NAME]: '<script>', [VERSION]: '1' },
])('one that says %j may not', async (headers) => {
  const answer = await router.query('{ __typename }', { headers });
  expect([answer.status, codesOf(answer)]).toEqual([400, ['CLIENT_NOT_IDENTIFIED']]);
});

test.each([
  { [NAME]: 'app', [VERSION]: '1' },
  { 'Apollographql-Client-Name': 'app', 'Graphql-Client-Version': '1' },
  { headers: { [NAME]: 'app', [VERSION]: '1' } },
  { clientName: 'app', clientVersion: '1' },
])('a websocket may say it as %j', async (payload) => {
  const socket = await openSocket(router.wsUrl);
  socket.say({ type: 'connection_init', payload });
  expect(await socket.hear('connection_ack')).toEqual({ type: 'connection_ack' });
  socket.socket.terminate();
});

test('a websocket may say it in its handshake, too', async () => {
  const socket = await openSocket(router.wsUrl, undefined, { headers: { [NAME]: 'app', [VERSION]: '1' } });
  socket.say({ type: 'connection_init' });
  expect(await socket.hear('connection_ack')).toEqual({ type: 'connection_ack' });
  socket.socket.terminate();
});

test.each([
  {},
  { clientName: 'app' },
  { clientName: 1, clientVersion: ['1'] },
  { clientName: 'a\nb', clientVersion: '1' },
])('one that says %j is closed', async (payload) => {
  const socket = await openSocket(router.wsUrl);
  socket.say({ type: 'connection_init', payload });
  expect(await socket.closed).toMatchObject({ code: 4403, reason: expect.stringContaining('CLIENT_NOT_IDENTIFIED') });
});

test('who need not say it may leave it out', async () => {
  const open = await startTestRouter(graph);
  expect((await open.query('{ __typename }', { headers: { [NAME]: 'a\tb' } })).status).toBe(200);
  await open.close();
});
