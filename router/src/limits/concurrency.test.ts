import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ConcurrencyOptions } from './concurrency-limits.ts';
import { compose } from '../testing/compose.ts';
import { startControlledSubgraph } from '../testing/controlled-subgraph.ts';
import type { ControlledSubgraph } from '../testing/controlled-subgraph.ts';
import { openSocket } from '../testing/raw-socket.ts';
import type { RawSocket } from '../testing/raw-socket.ts';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { createTestIssuer } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { codesOf, startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import { until } from '../testing/until.ts';

let graph: TestGraph;
let issuer: TestIssuer;
let subgraph: ControlledSubgraph;
const routers: TestRouter[] = [];
const sockets: RawSocket[] = [];

beforeAll(async () => {
  graph = await startTestGraph();
  issuer = await createTestIssuer();
  subgraph = await startControlledSubgraph({ slow: 'at last', fast: 'at once', change: 'changed' });
});

afterEach(async () => {
  for (const { socket } of sockets.splice(0)) socket.terminate();
  await Promise.all(routers.splice(0).map((router) => router.close()));
  await until(() => graph.openStreams() === 0);
});

afterAll(async () => {
  await Promise.all([graph.close(), subgraph.close()]);
});

const SCHEMA = 'type Query { slow: String fast: String } type Mutation { change: String }';

/** On the test graph, or on a subgraph that answers when it is told to. */
async function start(of: 'graph' | 'subgraph', concurrency: ConcurrencyOptions): Promise<TestRouter> {
  const controlled = {
    supergraph: compose({ held: SCHEMA }),
    subgraphUrl: () => subgraph.url,
  };
  const router = await startTestRouter(of === 'graph' ? graph : controlled, { issuer, concurrency });
  routers.push(router);
  return router;
}
async function open(router: TestRouter, token?: string): Promise<RawSocket> {
  const socket = await openSocket(router.wsUrl);
  sockets.push(socket);
  socket.say({ type: 'connection_init', payload: token === undefined ? {} : { authorization: `Bearer ${token}` } });
  return socket;
}
async function ready(router: TestRouter, token?: string): Promise<RawSocket> {
  const socket = await open(router, token);
  await socket.hear('connection_ack');
  return socket;
}
const subscribe = (id: string, query: string) => ({ id, type: 'subscribe', payload: { query } });
const tokenOf = (sub: string) => issuer.sign({ sub });
const QUIET = 'subscription { changes { sequence } }';
const refusalOf = (limit: string, maximum: number) => ({
  extensions: { code: 'CONCURRENCY_LIMITED', details: { limit, maximum } },
});

describe('operations', () => {
  /** Lets so many queries of one caller wait in the subgraph. */
  async function inFlight(ask: (query: string) => Promise<unknown>, count: number) {
    const before = subgraph.asked.length;
    const { release } = subgraph.hold('slow');
    const answers = Promise.all(Array.from({ length: count }, (_, i) => ask(`{ a${i}: slow }`)));
    await until(() => subgraph.asked.length === before + count);
    return { release, answers };
  }

  test('of one principal are as many at once as the limit says, whatever the token, and others have their own', async () => {
    const router = await start('subgraph', { operations: 3 });
    const [ada, again, bob] = [
      await tokenOf('ada'),
      await issuer.sign({ sub: 'ada', scope: 'x' }),
      await tokenOf('bob'),
    ];
    const { release, answers } = await inFlight((query) => router.query(query, { token: ada }), 3);

    const fourth = await router.query('{ fast }', { token: again });
    expect([fourth.status, fourth.headers.get('retry-after')]).toEqual([429, '1']);
    expect(fourth.errors).toMatchObject([refusalOf('operations', 3)]);
    const socket = await ready(router, ada);
    socket.say(subscribe('1', '{ fast }'));
    expect(await socket.hear('error')).toMatchObject({ payload: [refusalOf('operations', 3)] });
    expect((await router.query('{ fast }', { token: bob })).errors).toEqual([]);
    expect((await router.query('{ fast }')).errors).toEqual([]);

    release();
    await answers;
    for (let i = 0; i < 10; i += 1) expect((await router.query('{ fast }', { token: ada })).errors).toEqual([]);
  });

  test('are free again when their client has gone, when they fail and when they are refused', async () => {
    const router = await start('subgraph', { operations: 2 });
    const leaving = new AbortController();
    const abandon = async (query: string) =>
      fetch(router.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
        signal: leaving.signal,
      }).catch(() => undefined);
    const first = await inFlight(abandon, 2);
    leaving.abort();
    await until(async () => (await router.query('{ fast }')).errors.length === 0);

    const socket = await ready(router);
    const before = subgraph.asked.length;
    socket.say(subscribe('1', '{ b: slow }'), subscribe('2', '{ c: slow }'));
    await until(() => subgraph.asked.length === before + 2);
    expect(codesOf(await router.query('{ fast }'))).toEqual(['CONCURRENCY_LIMITED']);
    socket.say({ id: '1', type: 'complete' });
    socket.socket.terminate();
    await until(async () => (await router.query('{ fast }')).errors.length === 0);
    first.release();

    for (const query of ['{ nothing }', '{', '{ fast', 'query A { fast } query B { fast }']) {
      for (let i = 0; i < 3; i += 1) expect(codesOf(await router.query(query))).not.toContain('CONCURRENCY_LIMITED');
    }
    const mutations = await Promise.all([1, 2].map(() => router.query('mutation { change }')));
    expect(mutations.map(({ errors }) => errors)).toEqual([[], []]);
  });

  test('that arrive all at once are no more than the limit', async () => {
    const router = await start('subgraph', { operations: 5 });
    const { release } = subgraph.hold('slow');
    const socket = await ready(router);
    socket.say(...Array.from({ length: 40 }, (_, i) => subscribe(String(i), `{ d${i}: slow }`)));
    await until(() => socket.messages.filter(({ type }) => type === 'error').length === 35);
    release();
    await until(() => socket.messages.filter(({ type }) => type === 'complete').length === 5);
    expect(codesOf(await router.query('{ fast }'))).toEqual([]);
  });

  test('that defer are free when the last part has come', async () => {
    const router = await start('graph', { operations: 1 });
    const socket = await ready(router);
    for (const id of ['1', '2', '3']) {
      socket.say(subscribe(id, '{ person(id: "p1") { id ... @defer { voices { id } } } }'));
      expect(await socket.hear('complete')).toEqual({ id, type: 'complete' });
    }
  });
});

describe('what runs for everybody', () => {
  const refused = { extensions: { code: 'OVERLOADED' } };

  /** Lets so many callers wait in the subgraph. */
  async function busy(router: TestRouter, count: number) {
    const before = subgraph.asked.length;
    const { release } = subgraph.hold('slow');
    const tokens = await Promise.all(Array.from({ length: count }, (_, i) => tokenOf(`caller ${i}`)));
    const answers = Promise.all(tokens.map((token) => router.query('{ slow }', { token })));
    await until(() => subgraph.asked.length === before + count);
    return { release, answers };
  }

  test('is as much as the limit says; who waits for too long is refused, over all transports, the rest is answered', async () => {
    const router = await start('subgraph', { total: 3 });
    const socket = await ready(router);
    const { release, answers } = await busy(router, 3);
    const before = subgraph.asked.length;
    // Three of them begin in each second. With the pong all of them are in line.
    socket.say(...Array.from({ length: 12 }, (_, i) => subscribe(`slow ${i}`, '{ slow }')), { type: 'ping' });
    await socket.hear('pong');
    socket.say(subscribe('1', '{ fast }'));
    const late = ['{ fast }', 'mutation { change }', 'no document'].map((query) => router.query(query));
    for (const answer of await Promise.all(late)) {
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
      expect(answer.errors).toMatchObject([refused]);
    }
    await until(() => socket.messages.some(({ id }) => id === '1'));
    const onSocket = socket.messages.filter(({ type }) => type === 'error');
    expect(onSocket).toContainEqual(expect.objectContaining({ id: '1', payload: [expect.objectContaining(refused)] }));
    expect(subgraph.asked.slice(before).every((query) => query.includes('slow'))).toBe(true);
    const refusals = await router.metric('timbre_router_refusals_total', { code: 'OVERLOADED' });
    expect(refusals).toBe(onSocket.length + late.length);
    expect((await fetch(new URL('/readyz', router.url))).status).toBe(200);

    release();
    expect((await answers).map(({ errors }) => errors)).toEqual([[], [], []]);
    for (let i = 0; i < 5; i += 1) expect((await router.query('{ fast }')).errors).toEqual([]);
    socket.say(subscribe('2', '{ fast }'));
    await until(() => socket.messages.some(({ id, type }) => id === '2' && type === 'next'));
  });

  test('is not held up by those who wait for a subgraph that hangs', async () => {
    const router = await start('subgraph', { total: 2 });
    const { release, answers } = await busy(router, 2);
    const others = await Promise.all(Array.from({ length: 5 }, () => router.query('{ fast }')));
    expect(others.flatMap(({ errors }) => errors)).toEqual([]);
    release();
    expect((await answers).map(({ errors }) => errors)).toEqual([[], []]);
  });

  test('is one after the other where more come at once, and all are answered', async () => {
    const router = await start('subgraph', { total: 1 });
    const { release, answers } = await busy(router, 1);
    const others = Array.from({ length: 60 }, (_, i) => router.query(i % 3 === 0 ? '{ nothing }' : '{ fast }'));
    release();
    await answers;
    const codes = (await Promise.all(others)).map(codesOf);
    expect(codes.filter((each) => each.length === 0)).toHaveLength(40);
    expect(codes.filter((each) => each.includes('GRAPHQL_VALIDATION_FAILED'))).toHaveLength(20);
  });

  test('does nothing for who has left the line', async () => {
    const router = await start('subgraph', { total: 1 });
    const socket = await ready(router);
    const { release, answers } = await busy(router, 1);
    const before = subgraph.asked.length;
    socket.say(subscribe('1', '{ fast }'), { id: '1', type: 'complete' }, { type: 'ping' });
    await socket.hear('pong');
    const next = router.query('mutation { change }');
    release();
    await answers;
    expect((await next).errors).toEqual([]);
    expect(subgraph.asked.slice(before).filter((query) => query.includes('fast'))).toEqual([]);
  });

  test('has no place for many of one caller', async () => {
    const router = await start('subgraph', { total: 1, operations: 2 });
    const { release, answers } = await busy(router, 1);
    const eve = await tokenOf('eve');
    const asked = [1, 2, 3].map(() => router.query('{ fast }', { token: eve }));
    // Whichever comes last; the two others wait.
    expect(codesOf(await Promise.race(asked))).toEqual(['CONCURRENCY_LIMITED']);
    release();
    await answers;
    expect((await Promise.all(asked)).map(codesOf).toSorted((a, b) => a.length - b.length)).toEqual([
      [],
      [],
      ['CONCURRENCY_LIMITED'],
    ]);
  });

  test('does not count what is open: it goes on while the rest is refused', async () => {
    const router = await start('graph', { total: 1 });
    const socket = await ready(router);
    socket.say(
      subscribe('1', QUIET),
      subscribe('2', QUIET),
      subscribe('3', 'subscription { ticks(count: 1) { sequence } }'),
    );
    await socket.hear('next');
    expect((await router.query('{ who { userId } }')).errors).toEqual([]);
  });

  test('is more as soon as the configuration says so', async () => {
    const router = await start('subgraph', { total: 1 });
    const { release, answers } = await busy(router, 1);
    await router.configure({ concurrency: { total: 2 } });
    expect((await router.query('{ fast }')).errors).toEqual([]);
    release();
    await answers;
  });

  test('ends as soon as clients leave', async () => {
    const router = await start('subgraph', { total: 1 });
    const leaving = new AbortController();
    const { held, release } = subgraph.hold('slow');
    const left = fetch(router.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ slow }' }),
      signal: leaving.signal,
    });
    await held;
    const next = router.query('{ fast }');
    leaving.abort();
    await expect(left).rejects.toThrow('aborted');
    expect((await next).errors).toEqual([]);
    release();
  });
});

describe('subscriptions', () => {
  test('of one principal are as many as the limit says, over all sockets and streams', async () => {
    const router = await start('graph', { subscriptions: 2 });
    const [ada, bob] = [await tokenOf('ada'), await tokenOf('bob')];
    const [one, two, other] = [await ready(router, ada), await ready(router, ada), await ready(router, bob)];
    one.say(subscribe('1', QUIET));
    two.say(subscribe('1', QUIET));
    await until(async () => (await router.metric('timbre_router_subscriptions')) === 2);
    one.say(subscribe('2', QUIET));
    expect(await one.hear('error')).toMatchObject({ id: '2', payload: [refusalOf('subscriptions', 2)] });
    const stream = await fetch(router.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        authorization: `Bearer ${ada}`,
      },
      body: JSON.stringify({ query: QUIET }),
    });
    expect(await stream.text()).toContain('CONCURRENCY_LIMITED');
    other.say(subscribe('1', 'subscription { ticks(count: 1) { sequence } }'));
    expect(await other.hear('next')).toMatchObject({ payload: { data: { ticks: { sequence: 1 } } } });

    two.socket.terminate();
    let tries = 0;
    await until(async () => {
      const id = `again ${(tries += 1)}`;
      one.say(subscribe(id, 'subscription { ticks(count: 1) { sequence } }'));
      await until(() => one.messages.some((message) => message['id'] === id));
      return one.messages.find((message) => message['id'] === id)?.['type'] !== 'error';
    });
    await one.hear('complete');
    one.say({ id: '1', type: 'complete' }, subscribe('4', 'subscription { ticks(count: 1) { sequence } }'));
    await until(() => one.messages.some(({ id, type }) => id === '4' && type === 'complete'));
  });

  test('of one principal were asked with so many bytes, over all sockets and streams', async () => {
    const router = await start('graph', { subscriptionBytes: 1_000 });
    const [ada, bob] = [await tokenOf('ada'), await tokenOf('bob')];
    const [one, two, other] = [await ready(router, ada), await ready(router, ada), await ready(router, bob)];
    const with400 = (id: string) => ({
      id,
      type: 'subscribe',
      payload: { query: QUIET, variables: { unknown: 'x'.repeat(400) } },
    });
    const refused = [refusalOf('subscriptionBytes', 1_000)];
    one.say(with400('1'));
    two.say(with400('1'));
    await until(async () => (await router.metric('timbre_router_subscriptions')) === 2);
    one.say(with400('2'));
    expect(await one.hear('error')).toMatchObject({ id: '2', payload: refused });
    const stream = await fetch(router.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${ada}` },
      body: JSON.stringify(with400('3').payload),
    });
    expect(await stream.text()).toContain('subscriptionBytes');
    other.say(with400('1'), subscribe('2', `${QUIET} #${'x'.repeat(400)}`));
    await until(async () => (await router.metric('timbre_router_subscriptions')) === 4);
    other.say(with400('3'));
    expect(await other.hear('error')).toMatchObject({ id: '3', payload: refused });
    two.socket.terminate();
    await until(async () => (await router.metric('timbre_router_subscriptions')) === 3);
    one.say(with400('4'));
    await until(async () => (await router.metric('timbre_router_subscriptions')) === 4);
    expect(one.messages.filter(({ type }) => type === 'error')).toHaveLength(1);
  });

  test('that cannot be begun, or of which nothing is allowed, take no room', async () => {
    const router = await start('graph', { subscriptions: 1, operations: 1 });
    const socket = await ready(router);
    for (let i = 0; i < 3; i += 1) {
      socket.say(subscribe(`r${i}`, 'subscription { refusedTicks { sequence } }'));
      await until(() => socket.messages.some(({ id }) => id === `r${i}`));
      socket.say(subscribe(`s${i}`, 'subscription { secretTicks { sequence } }'));
      await until(() => socket.messages.some(({ id, type }) => id === `s${i}` && type === 'complete'));
    }
    expect(JSON.stringify(socket.messages)).not.toContain('CONCURRENCY_LIMITED');
  });
});

describe('websockets', () => {
  test('take so many operations each; one too many is refused and the rest go on', async () => {
    const router = await start('graph', { operationsPerSocket: 3 });
    const socket = await ready(router);
    socket.say(...['1', '2', '3', '4'].map((id) => subscribe(id, QUIET)));
    expect(await socket.hear('error')).toMatchObject({ id: '4', payload: [refusalOf('operationsPerSocket', 3)] });
    expect(await router.metric('timbre_router_refusals_total', { code: 'CONCURRENCY_LIMITED' })).toBe(1);
    socket.say({ id: '1', type: 'complete' }, subscribe('4', '{ who { userId } }'));
    expect(await socket.hear('next')).toMatchObject({ id: '4' });
    expect((await ready(router)).socket.readyState).toBe(1);
  });

  test('are closed with 4429 where one asks for more and more that there is no room for', async () => {
    const router = await start('graph', { operationsPerSocket: 1 });
    const socket = await ready(router);
    socket.say(subscribe('0', QUIET), ...Array.from({ length: 300 }, (_, i) => subscribe(`x${i}`, QUIET)));
    expect(await socket.closed).toEqual({ code: 4429, reason: 'Too many operations' });
    await until(() => graph.openStreams() === 0);
  });

  test('of one principal are as many as the limit says; one that goes makes room', async () => {
    const router = await start('graph', { sockets: 2 });
    const [ada, bob] = [await tokenOf('ada'), await tokenOf('bob')];
    const [first] = [await ready(router, ada), await ready(router, ada)];
    const third = await open(router, ada);
    expect(await third.closed).toEqual({ code: 4403, reason: 'Too many websockets: the limit is 2' });
    await Promise.all([ready(router, bob), ready(router), ready(router)]);
    expect((await (await open(router)).closed).code).toBe(4403);
    first.socket.terminate();
    await until(async () => {
      const next = await open(router, ada);
      return Promise.race([next.hear('connection_ack').then(() => true), next.closed.then(() => false)]);
    });
  });

  test('that were refused, or never acknowledged, do not count against the principal', async () => {
    const router = await start('graph', { sockets: 1 });
    for (let i = 0; i < 3; i += 1) {
      const socket = await open(router, 'no token');
      expect((await socket.closed).code).toBe(4403);
    }
    const silent = await openSocket(router.wsUrl);
    sockets.push(silent);
    await ready(router);
  });

  test('of one address are as many as the limit says, acknowledged or not', async () => {
    const router = await start('graph', { socketsPerAddress: 3 });
    const first = await openSocket(router.wsUrl);
    sockets.push(first, await openSocket(router.wsUrl), await ready(router, await tokenOf('ada')));
    await expect(openSocket(router.wsUrl)).rejects.toThrow('429');
    first.socket.terminate();
    await until(async () => {
      const next = await openSocket(router.wsUrl).catch(() => null);
      if (next !== null) sockets.push(next);
      return next !== null;
    });
  });
});
