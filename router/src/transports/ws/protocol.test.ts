import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openSocket } from '../../testing/raw-socket.ts';
import type { RawSocket } from '../../testing/raw-socket.ts';
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
const sockets: RawSocket[] = [];

beforeAll(async () => {
  graph = await startTestGraph();
  issuer = await createTestIssuer();
  router = await startTestRouter(graph, { issuer, maxBodyBytes: 100_000 });
});

afterEach(async () => {
  for (const { socket } of sockets.splice(0)) socket.terminate();
  await until(() => graph.openStreams() === 0);
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

async function open(protocols?: string[]): Promise<RawSocket> {
  const socket = await openSocket(router.wsUrl, protocols);
  sockets.push(socket);
  return socket;
}
async function ready(payload?: object): Promise<RawSocket> {
  const socket = await open();
  socket.say({ type: 'connection_init', payload });
  await socket.hear('connection_ack');
  return socket;
}
const subscribe = (id: string, query: string, more: object = {}) => ({
  id,
  type: 'subscribe',
  payload: { query, ...more },
});
const complete = (id: string) => ({ id, type: 'complete' });
const NEVER_ENDING = 'subscription { ticks(count: 1000000) { sequence } }';
const QUIET = 'subscription { changes { sequence } }';
const QUERY = '{ who { userId } }';
const KEY = Buffer.from('0123456789abcdef').toString('base64');
const INIT = { type: 'connection_init' };

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

describe('any order of messages', () => {
  /** What the protocol says of a message after the ones before it: a close code, or the type of the answer. */
  interface State {
    inited: boolean;
    active: Set<string>;
  }
  type Step = { message: object | string; expected: (state: State) => number | string | null };
  const whenReady = (then: (state: State) => number | string | null) => (state: State) =>
    state.inited ? then(state) : 4401;
  const steps: Step[] = [
    {
      message: INIT,
      expected(state) {
        if (state.inited) return 4429;
        state.inited = true;
        return 'connection_ack';
      },
    },
    { message: { type: 'ping' }, expected: () => 'pong' },
    { message: { type: 'pong' }, expected: () => null },
    { message: { type: 'next', id: 'a' }, expected: () => 4400 },
    ...['a', 'b'].flatMap((id): Step[] => [
      {
        message: subscribe(id, QUIET),
        expected: whenReady(({ active }) => {
          if (active.has(id)) return 4409;
          active.add(id);
          return null;
        }),
      },
      { message: subscribe(id, QUERY), expected: whenReady(({ active }) => (active.has(id) ? 4409 : 'complete')) },
      { message: subscribe(id, '{ no }'), expected: whenReady(({ active }) => (active.has(id) ? 4409 : 'error')) },
      {
        message: complete(id),
        expected({ active }) {
          active.delete(id);
          return null;
        },
      },
    ]),
  ];
  /** A small generator (mulberry32), so that a failure can be run again by its seed. */
  const randomOf = (seed: number) => {
    let a = seed;
    return () => {
      a = (a + 0x6d2b79f5) | 0;
      let t = Math.imul(a ^ (a >>> 15), 1 | a);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
  };

  test('is answered, or ended with the code, that the protocol states', async () => {
    for (let seed = 0; seed < 150; seed += 1) {
      const random = randomOf(seed);
      const socket = await openSocket(router.wsUrl);
      const state: State = { inited: false, active: new Set() };
      const said: object[] = [];
      // Most orders would end at their first message.
      const wellBegun = random() < 0.8;
      for (let i = 0; i < 12; i += 1) {
        const step = wellBegun && i === 0 ? steps[0] : steps[Math.floor(random() * steps.length)];
        if (step === undefined) break;
        said.push(step);
        socket.say(step.message);
        const expected = step.expected(state);
        if (typeof expected === 'number') {
          expect((await socket.closed).code, JSON.stringify({ seed, said })).toBe(expected);
          break;
        }
        if (expected !== null) expect(await socket.hear(expected)).toMatchObject({ type: expected });
      }
      socket.socket.terminate();
    }
    await until(() => graph.openStreams() === 0);
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

describe('a client that reads too slowly', () => {
  test('is closed with 1013 when too much has waited for too long', async () => {
    const strict = await startTestRouter(graph, { slowClient: { bytes: 100_000, ms: 200 }, maxBodyBytes: 100_000 });
    const socket = await openSocket(strict.wsUrl);
    sockets.push(socket);
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
    sockets.push(socket);
    const answering = await openSocket(strict.wsUrl);
    sockets.push(answering);
    expect((await socket.closed).code).toBe(1006);
    answering.say({ type: 'ping' });
    await answering.hear('pong');
    await strict.close();
  });
});
