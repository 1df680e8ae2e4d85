import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RawSocket } from '../../testing/raw-socket.ts';
import { complete, QUERY, QUIET, socketClients, subscribe } from '../../testing/socket-clients.ts';
import { startTestGraph } from '../../testing/test-graph.ts';
import type { TestGraph } from '../../testing/test-graph.ts';
import { createTestIssuer } from '../../testing/test-issuer.ts';
import type { TestIssuer } from '../../testing/test-issuer.ts';
import { startTestRouter } from '../../testing/test-router.ts';
import type { TestRouter } from '../../testing/test-router.ts';
import { until } from '../../testing/until.ts';

let graph: TestGraph;
let issuer: TestIssuer;
let router: TestRouter;
const { open, ready, terminateAll } = socketClients(() => router);

beforeAll(async () => {
  graph = await startTestGraph();
  issuer = await createTestIssuer();
  router = await startTestRouter(graph, { issuer, maxBodyBytes: 100_000 });
});

afterEach(async () => {
  terminateAll();
  await until(() => graph.openStreams() === 0);
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

const NEVER_ENDING = 'subscription { ticks(count: 1000000) { sequence } }';

describe('operations', () => {
  test.each([
    ['a query', QUERY, { who: { userId: 'user-1' } }],
    ['a mutation', 'mutation { rename(name: "Ada") { name } }', { rename: { name: 'Ada' } }],
  ])('%s is one next and complete', async (_name, query, data) => {
    const socket = await ready({ authorization: `Bearer ${await issuer.sign()}` });
    socket.say(subscribe('q', query));
    await socket.hear('complete');
    expect(socket.messages.slice(1)).toEqual([{ id: 'q', type: 'next', payload: { data } }, complete('q')]);
  });

  test('a subscription is its events in their order, and complete at its end', async () => {
    const socket = await ready();
    socket.say(subscribe('s', 'subscription { ticks(count: 20) { sequence } }'));
    for (let n = 1; n <= 20; n += 1) {
      expect(await socket.hear('next')).toEqual({
        id: 's',
        type: 'next',
        payload: { data: { ticks: { sequence: n } } },
      });
      graph.tick();
    }
    expect(await socket.hear('complete')).toEqual(complete('s'));
    expect(socket.messages).toHaveLength(22);
  });

  test.each([
    ['a syntax error', '{'],
    ['what is not valid', '{ nothing }'],
    ['a value that does not fit', 'subscription { ticks(count: true) { sequence } }'],
  ])('%s is an error and nothing after it; the id is free', async (_name, query) => {
    const socket = await ready();
    socket.say(subscribe('e', query));
    const { payload } = await socket.hear('error');
    expect(payload).toMatchObject([{ message: expect.any(String), extensions: { code: expect.any(String) } }]);
    socket.say(subscribe('e', QUERY));
    await socket.hear('complete');
    expect(socket.messages.map(({ type }) => type)).toEqual(['connection_ack', 'error', 'next', 'complete']);
  });

  test.each([
    ['a subscription', NEVER_ENDING],
    ['a subscription that is still being prepared', null],
  ])('the id of %s is taken: 4409, and its upstream ends', async (_name, query) => {
    const socket = await ready();
    socket.say(subscribe('one', query ?? NEVER_ENDING));
    if (query !== null) await socket.hear('next');
    socket.say(subscribe('one', QUERY));
    expect(await socket.closed).toEqual({ code: 4409, reason: 'Subscriber for one already exists' });
    await until(() => graph.openStreams() === 0);
  });

  test('the reason of a close is cut to what a frame takes', async () => {
    const socket = await ready();
    const id = 'é'.repeat(100);
    socket.say(subscribe(id, QUIET), subscribe(id, QUIET));
    const { code, reason } = await socket.closed;
    expect(code).toBe(4409);
    expect(reason).toBe(`Subscriber for ${'é'.repeat(54)}`);
  });

  test('many are interleaved, each under its id', async () => {
    const socket = await ready();
    const ids = ['a', 'b', 'constructor', '__proto__'];
    socket.say(...ids.map((id) => subscribe(id, QUIET)));
    await until(() => graph.openStreams() > 0);
    graph.tick();
    await until(() => socket.messages.length === 1 + ids.length);
    expect(new Set(socket.messages.slice(1).map(({ id }) => id))).toEqual(new Set(ids));
  });

  test('complete by the client ends the upstream, and the id is free at once', async () => {
    const socket = await ready();
    socket.say(subscribe('1', NEVER_ENDING));
    await socket.hear('next');
    socket.say(complete('1'), subscribe('1', QUERY));
    await socket.hear('complete');
    expect(socket.messages.slice(2)).toEqual([
      { id: '1', type: 'next', payload: { data: { who: { userId: null } } } },
      complete('1'),
    ]);
    await until(() => graph.openStreams() === 0);
  });

  test('complete before the first result: nothing of it is sent, not even under a new operation of the id', async () => {
    const socket = await ready();
    for (let i = 0; i < 20; i += 1) socket.say(subscribe('1', '{ person(id: "p1") { name } }'), complete('1'));
    socket.say(subscribe('1', QUERY));
    await socket.hear('complete');
    socket.say({ type: 'ping' });
    await socket.hear('pong');
    expect(socket.messages.map(({ type }) => type)).toEqual(['connection_ack', 'next', 'complete', 'pong']);
    expect(socket.messages[1]).toMatchObject({ payload: { data: { who: { userId: null } } } });
  });

  test('complete for what is unknown or over is ignored', async () => {
    const early = await open();
    early.say(complete('1'), { type: 'ping' });
    await early.hear('pong');
    const socket = await ready();
    socket.say(complete('never'), subscribe('1', QUERY));
    await socket.hear('complete');
    socket.say(complete('1'), complete('1'), { type: 'ping' });
    expect(await socket.hear('pong')).toEqual({ type: 'pong' });
  });

  test.each([
    ['says goodbye', (s: RawSocket) => s.socket.close(1000)],
    ['vanishes', (s: RawSocket) => s.socket.terminate()],
    ['is closed for what it says', (s: RawSocket) => s.say('?')],
  ])('a client that %s ends everything upstream', async (_name, leave) => {
    const socket = await ready();
    socket.say(subscribe('1', NEVER_ENDING), subscribe('2', QUIET));
    await until(() => graph.openStreams() === 2);
    leave(socket);
    await until(() => graph.openStreams() === 0);
    await until(async () => (await router.metric('timbre_router_subscriptions')) === 0);
    expect(graph.openStreams()).toBe(0);
  });
});

describe('@defer', () => {
  test('comes in parts of one operation, the last of which says so', async () => {
    const socket = await ready();
    socket.say(subscribe('d', '{ person(id: "p1") { name ... @defer { voices(first: 1) { label } } } }'));
    await socket.hear('complete');
    const payloads = socket.messages.flatMap(({ type, payload }) => (type === 'next' ? [payload] : []));
    expect(payloads[0]).toEqual({ data: { person: { name: 'Person p1' } }, hasNext: true });
    expect(payloads.at(-1)).toMatchObject({ hasNext: false });
    expect(payloads.slice(1)).toMatchObject([
      { incremental: [{ path: ['person'], data: { voices: [{ label: 'Voice 0 of p1' }] } }] },
    ]);
  });
});
