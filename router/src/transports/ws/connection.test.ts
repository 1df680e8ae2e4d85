import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { INIT, QUERY, QUIET, socketClients, subscribe } from '../../testing/socket-clients.ts';
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

const KEY = Buffer.from('0123456789abcdef').toString('base64');

describe('the connection', () => {
  test.each([
    ['without a payload', {}],
    ['with null', { payload: null }],
    ['with anything in it', { payload: { anything: [1, 2] } }],
  ])('is acknowledged after an init %s', async (_name, more) => {
    const socket = await open();
    socket.say({ ...INIT, ...more });
    expect(await socket.hear('connection_ack')).toEqual({ type: 'connection_ack' });
  });

  test.each([
    ['none', []],
    ['the older one', ['graphql-ws']],
    ['an unknown one', ['soap']],
  ])('is closed with 4406 where the subprotocol is %s', async (_name, protocols) => {
    // The client of ws refuses an answer without a protocol that it asked for, before it sees the close frame.
    const { hostname, port, pathname } = new URL(router.url);
    const raw = connect(Number(port), hostname);
    const header = protocols.length === 0 ? '' : `Sec-WebSocket-Protocol: ${protocols.join(', ')}\r\n`;
    raw.write(
      `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n${header}\r\n`,
    );
    let answer = Buffer.alloc(0);
    raw.on('data', (chunk) => (answer = Buffer.concat([answer, chunk])));
    const frame = () => answer.subarray(answer.indexOf('\r\n\r\n') + 4);
    await until(() => answer.includes('\r\n\r\n') && frame().length >= 4);
    expect([frame()[0], frame().readUInt16BE(2)]).toEqual([0x88, 4406]);
    raw.destroy();
  });

  test('is possible where the subprotocol is one of several', async () => {
    const socket = await open(['graphql-ws', 'graphql-transport-ws']);
    expect(socket.socket.protocol).toBe('graphql-transport-ws');
    socket.say(INIT);
    await socket.hear('connection_ack');
  });

  test('is closed with 4408 when no init comes, whatever else does', async () => {
    const [silent, pinging] = [await open(), await open()];
    pinging.say({ type: 'ping' });
    expect(await pinging.hear('pong')).toEqual({ type: 'pong' });
    expect(await silent.closed).toEqual({ code: 4408, reason: 'Connection initialisation timeout' });
    expect((await pinging.closed).code).toBe(4408);
  });

  test('stays without further messages once it is there', async () => {
    const [early, later] = [await ready(), await open()];
    await later.closed;
    early.say({ type: 'ping' });
    expect(await early.hear('pong')).toEqual({ type: 'pong' });
  });

  test.each([
    ['at once', false],
    ['after the acknowledgement', true],
  ])('is closed with 4429 at a second init, %s', async (_name, wait) => {
    const socket = await open();
    socket.say(INIT);
    if (wait) await socket.hear('connection_ack');
    socket.say(INIT);
    expect(await socket.closed).toEqual({ code: 4429, reason: 'Too many initialisation requests' });
  });

  test('is closed with 4403 and the reason when its token is not good', async () => {
    const socket = await open();
    socket.say({ ...INIT, payload: { authorization: 'Bearer nonsense' } });
    expect((await socket.closed).code).toBe(4403);
    expect(socket.messages).toEqual([]);
  });

  test('is closed with 4401 at a subscribe before the acknowledgement', async () => {
    const never = await open();
    never.say(subscribe('1', QUERY));
    expect(await never.closed).toEqual({ code: 4401, reason: 'Unauthorized' });
    // Both in one chunk: a token is looked at before the second is.
    const hasty = await open();
    const token = await issuer.sign();
    hasty.say({ ...INIT, payload: { authorization: `Bearer ${token}` } }, subscribe('1', QUERY));
    expect((await hasty.closed).code).toBe(4401);
  });
});

describe('ping and pong', () => {
  test('are answered in every state, with the payload', async () => {
    const socket = await open();
    socket.say({ type: 'ping', payload: { n: 1 } });
    expect(await socket.hear('pong')).toEqual({ type: 'pong', payload: { n: 1 } });
    socket.say({ type: 'pong' }, { type: 'pong', payload: { unsolicited: true } }, { type: 'ping', payload: null });
    expect(await socket.hear('pong')).toEqual({ type: 'pong' });
    socket.say(INIT);
    await socket.hear('connection_ack');
    socket.say(subscribe('1', QUIET), { type: 'ping', payload: {} });
    expect(await socket.hear('pong')).toEqual({ type: 'pong', payload: {} });
  });
});

describe('what is no message of the protocol closes with 4400, in every state:', () => {
  const invalid: [string, object | string][] = [
    ['no JSON', 'hello'],
    ['nothing', ''],
    ['half of JSON', '{"type":"ping"'],
    ['null', 'null'],
    ['a list', '[]'],
    ['a number', '1'],
    ['a string', '"ping"'],
    ['no type', {}],
    ['a type that is no string', { type: 1 }],
    ['an unknown type', { type: 'start', id: '1', payload: { query: QUERY } }],
    ['a type of Object.prototype', { type: 'constructor' }],
    ['what only servers say: ack', { type: 'connection_ack' }],
    ['what only servers say: next', { type: 'next', id: '1', payload: {} }],
    ['what only servers say: error', { type: 'error', id: '1', payload: [] }],
    ['an init with a list', { ...INIT, payload: [] }],
    ['an init with text', { ...INIT, payload: 'x' }],
    ['a ping with a number', { type: 'ping', payload: 0 }],
    ['a pong with text', { type: 'pong', payload: '' }],
    ['a subscribe without id', { type: 'subscribe', payload: { query: QUERY } }],
    ['a subscribe with an empty id', subscribe('', QUERY)],
    ['a subscribe with a number as id', { ...subscribe('1', QUERY), id: 1 }],
    ['a subscribe without payload', { type: 'subscribe', id: '1' }],
    ['a subscribe with a list', { type: 'subscribe', id: '1', payload: [] }],
    ['a subscribe without query', { type: 'subscribe', id: '1', payload: {} }],
    ['a query that is an object', { type: 'subscribe', id: '1', payload: { query: {} } }],
    ['variables that are a list', subscribe('1', QUERY, { variables: [] })],
    ['variables that are text', subscribe('1', QUERY, { variables: '{}' })],
    ['an operationName that is a number', subscribe('1', QUERY, { operationName: 1 })],
    ['extensions that are text', subscribe('1', QUERY, { extensions: 'x' })],
    ['a complete without id', { type: 'complete' }],
    ['a complete with an empty id', { type: 'complete', id: '' }],
    ['a complete with a number as id', { type: 'complete', id: 1 }],
    ['a complete with an id that is too long', { type: 'complete', id: 'x'.repeat(257) }],
  ];

  test.each(invalid)('%s', async (_name, message) => {
    for (const socket of [await open(), await ready()]) {
      socket.say(message);
      const { code, reason } = await socket.closed;
      expect(code).toBe(4400);
      expect(reason).not.toBe('');
    }
  });

  test('a binary frame', async () => {
    const socket = await ready();
    socket.socket.send(Buffer.from(JSON.stringify({ type: 'ping' })));
    expect((await socket.closed).code).toBe(4400);
  });

  test('and what came with it is not carried out', async () => {
    const socket = await ready({ authorization: `Bearer ${await issuer.sign()}` });
    socket.say('no message', subscribe('1', 'mutation { rename(name: "too late") { name } }'));
    expect((await socket.closed).code).toBe(4400);
    const later = await ready();
    later.say(subscribe('1', QUERY));
    await later.hear('complete');
    expect(graph.calls).not.toContain('rename too late');
  });
});
