import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { createLogger } from '@timbre/platform/logger';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { listen } from '../testing/listen.ts';
import { openSocket } from '../testing/raw-socket.ts';
import { startTestGraph } from '../testing/test-graph.ts';
import { collect, startTestRouter } from '../testing/test-router.ts';
import { createWsTransport } from './ws-transport.ts';
import type { SubscriptionTransport } from './ws-transport.ts';
import { until } from '../testing/until.ts';

interface Message {
  type: string;
  id?: string;
  payload?: unknown;
}

/** A subgraph that acknowledges and says nothing else but what it is told. */
interface Scripted {
  url: string;
  heard: Message[];
  answersPings: boolean;
  sockets: Set<WebSocket>;
  say(message: object | string): void;
  close(): Promise<void>;
}

const log = createLogger({ name: 'test', level: 'silent' });

async function startScripted(): Promise<Scripted> {
  const server: Server = createServer();
  const wss = new WebSocketServer({ server, handleProtocols: () => 'graphql-transport-ws' });
  const heard: Message[] = [];
  const scripted = { answersPings: true };
  wss.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      const message: Message = JSON.parse(data.toString());
      if (message.type === 'connection_init') socket.send('{"type":"connection_ack"}');
      else if (message.type === 'ping' && scripted.answersPings) socket.send('{"type":"pong"}');
      else heard.push(message);
    });
  });
  const url = `${await listen(server)}/graphql`;
  return Object.assign(scripted, {
    url,
    heard,
    sockets: wss.clients,
    say(message: object | string) {
      for (const socket of wss.clients) socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    },
    async close() {
      for (const socket of wss.clients) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

interface Heard {
  events: unknown[];
  end: unknown;
  leave: () => void;
}

function subscribe(transport: SubscriptionTransport, query: string): Heard {
  const heard: Heard = { events: [], end: undefined, leave: () => undefined };
  heard.leave = transport.subscribe(() => ({ query }), {
    next: (event) => heard.events.push(event),
    error: (errors) => (heard.end = errors),
    complete: () => (heard.end = 'complete'),
  });
  return heard;
}

let subgraph: Scripted;
beforeEach(async () => {
  subgraph = await startScripted();
});
afterEach(async () => {
  await subgraph.close();
});

describe('one connection', () => {
  let transport: SubscriptionTransport;
  let sockets = 0;
  beforeEach(() => {
    sockets = 0;
    transport = createWsTransport(
      { name: 'scripted', url: subgraph.url },
      { log, retryAttempts: 3, maxRetryWaitMs: 10, keepAliveMs: 100, onSockets: (change) => (sockets += change) },
    );
  });
  afterEach(async () => {
    await transport.close();
  });
  const asked = (type: string) => subgraph.heard.filter((message) => message.type === type);

  test('carries everything, each under its id', async () => {
    const [a, b] = [subscribe(transport, 'a'), subscribe(transport, 'b')];
    await until(() => asked('subscribe').length === 2);
    expect(subgraph.sockets.size).toBe(1);
    const idOf = (query: string) =>
      asked('subscribe').find(({ payload }) => JSON.stringify(payload).includes(query))?.id;
    subgraph.say({ type: 'next', id: idOf('"a"'), payload: { data: 1 } });
    subgraph.say({ type: 'next', id: 'unknown', payload: { data: 2 } });
    subgraph.say({ type: 'error', id: idOf('"b"'), payload: [{ message: 'no' }] });
    subgraph.say({ type: 'complete', id: idOf('"a"') });
    await until(() => a.end !== undefined && b.end !== undefined);
    expect([a, b]).toMatchObject([
      { events: [{ data: 1 }], end: 'complete' },
      { events: [], end: [{ message: 'no' }] },
    ]);
  });

  test('tells the subgraph who has left, and no one who came and went in between', async () => {
    const early = subscribe(transport, 'early');
    early.leave();
    const late = subscribe(transport, 'late');
    await until(() => asked('subscribe').length === 1);
    late.leave();
    await until(() => asked('complete').length === 1);
    expect(asked('subscribe')).toMatchObject([{ payload: { query: 'late' } }]);
  });

  test('subscribes the others where one cannot be sent', async () => {
    const cannot = () => {
      throw new RangeError('It nests too deep.');
    };
    let end: unknown;
    transport.subscribe(cannot, { next: cannot, error: (errors) => (end = errors), complete: cannot });
    subscribe(transport, 'a');
    await until(() => asked('subscribe').length === 1 && end !== undefined);
    expect([end, asked('subscribe')]).toMatchObject([[], [{ payload: { query: 'a' } }]]);
  });

  test('answers pings with their payload', async () => {
    subscribe(transport, 'a');
    await until(() => asked('subscribe').length === 1);
    subgraph.say({ type: 'ping', payload: { n: 1 } });
    await until(() => asked('pong').length === 1);
    expect(asked('pong')).toEqual([{ type: 'pong', payload: { n: 1 } }]);
  });

  test.each([
    ['no JSON', '{"type":'],
    ['no object', '[]'],
    ['an unknown type', '{"type":"data"}'],
    ['an event without id', '{"type":"next","payload":{}}'],
    ['a second acknowledgement', '{"type":"connection_ack"}'],
  ])('is made anew, and everybody subscribed again, after %s', async (_name, text) => {
    const all = [subscribe(transport, 'a'), subscribe(transport, 'b')];
    await until(() => asked('subscribe').length === 2);
    subgraph.say(text);
    await until(() => asked('subscribe').length === 4);
    await until(() => subgraph.sockets.size === 1);
    for (const { id } of asked('subscribe').slice(2)) subgraph.say({ type: 'next', id, payload: 'again' });
    await until(() => all.every(({ events }) => events.length === 1));
    expect(all).toMatchObject([{ end: undefined }, { end: undefined }]);
  });

  test('is made anew when pings are not answered', async () => {
    const reader = subscribe(transport, 'a');
    await until(() => asked('subscribe').length === 1);
    subgraph.answersPings = false;
    await until(() => asked('subscribe').length === 2);
    subgraph.say({ type: 'next', id: asked('subscribe')[1]?.id, payload: 'still here' });
    await until(() => reader.events.length === 1);
    expect(reader).toMatchObject({ events: ['still here'], end: undefined });
  });

  test('that cannot be made is given up after the attempts, and tried again by who comes next', async () => {
    const { port } = new URL(subgraph.url);
    await subgraph.close();
    const all = [subscribe(transport, 'a'), subscribe(transport, 'b')];
    await until(() => all.every(({ end }) => end !== undefined));
    expect(all.map(({ end }) => end)).toEqual([null, null]);
    expect(port).not.toBe('');
    const later = subscribe(transport, 'c');
    await until(() => later.end !== undefined);
    expect(later.end).toBeNull();
    subgraph = await startScripted();
  });

  test('that is closed ends what is left', async () => {
    const one = subscribe(transport, 'a');
    await until(() => asked('subscribe').length === 1);
    expect(sockets).toBe(1);
    await transport.close();
    expect([one.end, sockets]).toEqual(['complete', 0]);
    const after = subscribe(transport, 'b');
    await until(() => after.end !== undefined);
    expect(after.end).toBe('complete');
  });
});

test('large events do not pile up for a client that does not read', async () => {
  const graph = await startTestGraph();
  const router = await startTestRouter({
    supergraph: graph.supergraph,
    subgraphUrl: (name) => (name === 'voices' ? subgraph.url : graph.subgraphUrl(name)),
  });
  const client = await openSocket(router.wsUrl);
  client.say({ type: 'connection_init' });
  await client.hear('connection_ack');
  const query = 'subscription { ticks(count: 1) { person { id } } }';
  client.say({ id: '1', type: 'subscribe', payload: { query } });
  await until(() => subgraph.heard.length === 1);
  client.socket.pause();
  const payload = { data: { ticks: { person: { id: 'x'.repeat(1_000_000) } } } };
  const sent = Array.from({ length: 40 }, () => subgraph.say({ type: 'next', id: subgraph.heard[0]?.id, payload }));
  await until(() => subgraph.heard.some(({ type }) => type === 'complete'));
  client.socket.resume();
  const { payload: errors } = await client.hear('error');
  expect(errors).toMatchObject([{ extensions: { code: 'SUBSCRIPTION_OVERFLOW' } }]);
  expect(client.messages.length).toBeLessThan(sent.length);
  client.socket.terminate();
  await router.close();
  await graph.close();
});

describe('what a subgraph sends that is no response', () => {
  test.each([
    ['an event that is text', { type: 'next', payload: 'x' }],
    ['an event of nothing', { type: 'next' }],
    ['an event with data of another kind', { type: 'next', payload: { data: [1] } }],
    ['errors that are none', { type: 'error', payload: [1] }],
    ['errors that are no list', { type: 'error', payload: 'x' }],
  ])('is told to its reader, and to nobody else: %s', async (_name, message) => {
    const graph = await startTestGraph();
    const router = await startTestRouter({
      supergraph: graph.supergraph,
      subgraphUrl: (name) => (name === 'voices' ? subgraph.url : graph.subgraphUrl(name)),
    });
    const client = router.wsClient();
    const [bad, good] = [
      collect(client, { query: 'subscription { flood }' }),
      collect(client, { query: 'subscription { other: flood }' }),
    ];
    await until(() => subgraph.heard.length === 2);
    const idOf = (other: boolean) =>
      subgraph.heard.find(({ payload }) => JSON.stringify(payload).includes('other') === other)?.id;
    subgraph.say({ ...message, id: idOf(false) });
    subgraph.say({ type: 'complete', id: idOf(false) });
    subgraph.say({ type: 'next', id: idOf(true), payload: { data: { other: 7 } } });
    subgraph.say({ type: 'complete', id: idOf(true) });
    const { events, failure } = await bad;
    const told = failure ?? events[0]?.errors;
    expect(told).toMatchObject([{ message: expect.any(String) }]);
    expect(await good).toEqual({ events: [{ data: { other: 7 } }], failure: null });
    await router.close();
    await graph.close();
  });
});
