import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openSocket } from '../../testing/raw-socket.ts';
import type { RawSocket } from '../../testing/raw-socket.ts';
import { INIT, QUERY, QUIET, socketClients, subscribe } from '../../testing/socket-clients.ts';
import { startTestGraph } from '../../testing/test-graph.ts';
import type { TestGraph } from '../../testing/test-graph.ts';
import { startTestRouter } from '../../testing/test-router.ts';
import type { TestRouter } from '../../testing/test-router.ts';
import { until } from '../../testing/until.ts';

let graph: TestGraph;
let router: TestRouter;
const { ready, terminateAll } = socketClients(() => router);

beforeAll(async () => {
  graph = await startTestGraph();
  router = await startTestRouter(graph, { maxBodyBytes: 100_000 });
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

describe('below the protocol', () => {
  test('a message in fragments is one', async () => {
    const socket = await ready();
    const text = JSON.stringify(subscribe('1', QUERY));
    socket.socket.send(text.slice(0, 10), { fin: false });
    socket.socket.ping();
    socket.socket.send(text.slice(10, 20), { fin: false });
    socket.socket.send(text.slice(20), { fin: true });
    expect(await socket.hear('next')).toMatchObject({ id: '1' });
  });

  test.each([
    ['beyond the limit: 1009', (s: RawSocket) => s.say(`"${'x'.repeat(100_001)}"`), 1009],
    [
      'beyond the limit in fragments: 1009',
      (s: RawSocket) => {
        for (let i = 0; i < 11; i += 1) s.socket.send('x'.repeat(10_000), { fin: i === 10 });
      },
      1009,
    ],
    ['without a mask: 1002', (s: RawSocket) => s.socket.send('{}', { mask: false }), 1002],
    ['that is not UTF-8: 1007', (s: RawSocket) => s.socket.send(Buffer.from([0xc3, 0x28]), { binary: false }), 1007],
  ])('a frame %s', async (_name, send, code) => {
    const socket = await ready();
    socket.say(subscribe('1', QUIET));
    await until(() => graph.openStreams() === 1);
    send(socket);
    expect((await socket.closed).code).toBe(code);
    await until(() => graph.openStreams() === 0);
  });
});

test('a message has at most 256 KiB where a body may have more', async () => {
  const roomy = await startTestRouter(graph, { maxBodyBytes: 1024 * 1024 });
  const query = `{ __typename } #${'x'.repeat(256 * 1024)}`;
  expect((await roomy.query(query)).status).toBe(200);
  const socket = await openSocket(roomy.wsUrl);
  socket.say({ type: 'connection_init' });
  await socket.hear('connection_ack');
  socket.say(subscribe('1', query));
  expect((await socket.closed).code).toBe(1009);
  await roomy.close();
});

/** A client below websockets: it answers nothing, not even a close. */
async function openRaw(): Promise<Socket> {
  const { hostname, port, pathname } = new URL(router.url);
  const raw = connect(Number(port), hostname);
  raw.write(
    `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
      `Sec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n`,
  );
  await once(raw, 'data');
  return raw;
}
/** A masked text frame (RFC 6455, section 5.2) of less than 126 bytes; the mask changes nothing. */
const frame = (text: string) => Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);

test.each([
  ['of the websocket protocol', Buffer.from([0xff, 0x80, 0, 0, 0, 0])],
  ['of the protocol on it', frame('?')],
])(
  'an error %s ends everything upstream at once, and the socket soon, though the client never answers',
  async (_name, bytes) => {
    const connected = () => router.metric('timbre_router_client_sockets');
    await until(async () => (await connected()) === 0);
    const raw = await openRaw();
    const closed = new Promise((resolve) => raw.once('close', resolve));
    raw.on('error', () => undefined);
    raw.write(frame(JSON.stringify(INIT)));
    await once(raw, 'data');
    raw.write(frame(JSON.stringify(subscribe('1', QUIET))));
    await until(() => graph.openStreams() === 1);
    raw.write(bytes);
    await until(() => graph.openStreams() === 0);
    await closed;
    await until(async () => (await connected()) === 0);
    expect(await connected()).toBe(0);
  },
);

describe('a client that reads too slowly', () => {
  test('is closed with 1013 when too much has waited for too long', async () => {
    const strict = await startTestRouter(graph, { slowClient: { bytes: 100_000, ms: 200 }, maxBodyBytes: 100_000 });
    const socket = await openSocket(strict.wsUrl);
    onTestFinished(() => socket.socket.terminate());
    socket.say(INIT);
    await socket.hear('connection_ack');
    socket.say(subscribe('quiet', QUIET));
    await until(() => graph.openStreams() === 1);
    socket.socket.pause();
    // The kernel's buffers take some megabytes; only then something waits in the router.
    for (let i = 0; i < 40; i += 1)
      socket.say(
        subscribe(
          String(i),
          `{ people(first: 1000) { ${'name '.repeat(5)} a: name b: name c: name d: name e: name } }`,
        ),
      );
    // Nothing tells a client that does not read; its subscription ends.
    await until(() => graph.openStreams() === 0);
    socket.socket.resume();
    expect(await socket.closed).toEqual({ code: 1013, reason: 'The client reads too slowly' });
    await strict.close();
  });

  test('is cut when it does not answer pings', async () => {
    const strict = await startTestRouter(graph, { keepAliveMs: 50 });
    const socket = await openSocket(strict.wsUrl, undefined, { autoPong: false });
    onTestFinished(() => socket.socket.terminate());
    const answering = await openSocket(strict.wsUrl);
    onTestFinished(() => answering.socket.terminate());
    expect((await socket.closed).code).toBe(1006);
    answering.say({ type: 'ping' });
    await answering.hear('pong');
    await strict.close();
  });
});
