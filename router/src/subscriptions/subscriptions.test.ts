import { once } from 'node:events';
import { createServer } from 'node:net';
import { createClient } from 'graphql-ws';
import type { Client } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { listen } from '../testing/listen.ts';
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

beforeAll(async () => {
  graph = await startTestGraph();
  issuer = await createTestIssuer();
  router = await startTestRouter(graph, { issuer, maxBodyBytes: 200_000 });
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

/** Emits one tick in the subgraph whenever an event has arrived. */
const tickOn = () => graph.tick();
interface Tick {
  person: { name: string };
}
const now = () => Math.floor(Date.now() / 1000);

describe('events', () => {
  test('are completed by other subgraphs, and filtered for their reader', async () => {
    const query = 'subscription { ticks(count: 2) { sequence person { name email voices(first: 1) { label } } } }';
    const event = (n: number, email: string | null) => ({
      data: {
        ticks: { sequence: n, person: { name: `Person p${n}`, email, voices: [{ label: `Voice 0 of p${n}` }] } },
      },
    });
    const reader = router.wsClient(await issuer.sign({ scope: 'profile:read' }));
    const known = await collect(reader, { query }, tickOn);
    expect(known).toEqual({ events: [event(1, 'p1@example.com'), event(2, 'p2@example.com')], failure: null });

    const anonymous = await collect(router.wsClient(), { query }, tickOn);
    expect(anonymous.failure).toBeNull();
    expect(anonymous.events).toMatchObject([event(1, null), event(2, null)]);
    expect(anonymous.events[0]?.errors).toMatchObject([
      { path: ['ticks', 'person', 'email'], extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } },
    ]);
  });

  test('take variables and aliases', async () => {
    const query = 'subscription S($n: Int!) { t: ticks(count: $n, after: 4) { s: sequence who: person { n: name } } }';
    const { events } = await collect(router.wsClient(), { query, operationName: 'S', variables: { n: 5 } });
    expect(events).toEqual([{ data: { t: { s: 5, who: { n: 'Person p5' } } } }]);
  });

  test('survive a subgraph that is down for what it adds', async () => {
    await graph.people.stop();
    const query = 'subscription { ticks(count: 1) { sequence person { id name } } }';
    const { events } = await collect(router.wsClient(), { query });
    expect(events).toMatchObject([
      {
        data: { ticks: { sequence: 1, person: { id: 'p1', name: null } } },
        errors: [{ path: ['ticks', 'person', 'name'], extensions: { code: 'SUBGRAPH_UNAVAILABLE' } }],
      },
    ]);
    await graph.people.start();
  });
});

describe('what is refused', () => {
  test('a forbidden subscription is one event of null and its end; the subgraph hears nothing', async () => {
    const { events, failure } = await collect(router.wsClient(), {
      query: 'subscription { secretTicks { sequence } }',
    });
    expect(failure).toBeNull();
    expect(events).toMatchObject([
      {
        data: { secretTicks: null },
        errors: [{ path: ['secretTicks'], extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } }],
      },
    ]);
    expect(graph.openStreams()).toBe(0);
  });

  test.each([
    ['a syntax error', 'subscription {', 'GRAPHQL_PARSE_FAILED'],
    ['an unknown field', 'subscription { nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    ['two root fields', 'subscription { flood ticks(count: 1) { sequence } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['a missing variable', 'subscription ($n: Int!) { ticks(count: $n) { sequence } }', 'BAD_USER_INPUT'],
  ])('%s', async (_name, query, code) => {
    const { events, failure } = await collect(router.wsClient(), { query });
    expect(events).toEqual([]);
    expect(failure).toMatchObject([{ extensions: { code } }]);
  });

  test('the refusal of the subgraph comes through', async () => {
    const { events, failure } = await collect(router.wsClient(), {
      query: 'subscription { refusedTicks { sequence } }',
    });
    const told = failure ?? events[0]?.errors;
    expect(told).toMatchObject([{ message: 'No such ticks.', extensions: { code: 'NOT_FOUND' } }]);
  });
});

describe('queries and mutations', () => {
  test('go over the same socket, through the same checks', async () => {
    const client = router.wsClient(await issuer.sign({ scope: '' }));
    const mutation = await collect(client, { query: 'mutation { rename(name: "Ada") { name email } }' });
    expect(mutation.events).toMatchObject([
      {
        data: { rename: { name: 'Ada', email: null } },
        errors: [{ extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } }],
      },
    ]);
    const query = await collect(client, { query: '{ who { userId } }' });
    expect(query.events).toEqual([{ data: { who: { userId: 'user-1' } } }]);
  });
});

describe('the socket', () => {
  const closeOf = async (client: Client) => {
    const closed = new Promise((resolve) => {
      client.on('closed', (event) => resolve(event));
    });
    client.subscribe(
      { query: '{ __typename }' },
      { next: () => undefined, error: () => undefined, complete: () => undefined },
    );
    return closed;
  };

  test.each([
    ['expired', () => issuer.sign({ exp: now() - 100 }), 'The token has expired.'],
    ['forged', async () => `${(await issuer.sign()).slice(0, -8)}AAAAAAAA`, "The token's signature is not valid."],
    ['for another audience', () => issuer.sign({ aud: 'x' }), 'The token is meant for another audience.'],
  ])('is closed with 4403 and the reason when the token is %s', async (_name, token, reason) => {
    expect(await closeOf(router.wsClient(await token()))).toMatchObject({ code: 4403, reason });
  });

  test('takes the token from the payload in any case, from nested headers, or from the upgrade', async () => {
    const token = `Bearer ${await issuer.sign()}`;
    class WithHeader extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols, { headers: { authorization: token } });
      }
    }
    const variants: [Record<string, unknown> | undefined, unknown][] = [
      [{ authorization: token }, WebSocket],
      [{ AUTHORIZATION: token }, WebSocket],
      [{ headers: { Authorization: token } }, WebSocket],
      [undefined, WithHeader],
    ];
    for (const [connectionParams, webSocketImpl] of variants) {
      const params = connectionParams === undefined ? {} : { connectionParams };
      const client = createClient({ url: router.wsUrl, retryAttempts: 0, webSocketImpl, ...params });
      const { events } = await collect(client, { query: '{ who { userId } }' });
      expect(events).toEqual([{ data: { who: { userId: 'user-1' } } }]);
      await client.dispose();
    }
  });

  test.each([
    ['no subprotocol', [], undefined, 4406],
    ['something that is no message', ['graphql-transport-ws'], 'hello', 4400],
    [
      'a subscribe before the init',
      ['graphql-transport-ws'],
      '{"id":"1","type":"subscribe","payload":{"query":"{ me { id } }"}}',
      4401,
    ],
    ['a message beyond the limit', ['graphql-transport-ws'], `"${'x'.repeat(300_000)}"`, 1009],
  ])('%s ends it with the code of the protocol', async (_name, protocols, message, code) => {
    const socket = new WebSocket(router.wsUrl, protocols);
    socket.on('error', () => undefined);
    if (message !== undefined) socket.on('open', () => socket.send(message));
    expect(await once(socket, 'close')).toContain(code);
  });
});

describe('the upstream', () => {
  test('is one socket for everybody, and each subscribes as himself', async () => {
    graph.subscribedBy.length = 0;
    const query = 'subscription { ticks(count: 2) { sequence } }';
    const clients = await Promise.all(
      ['a', 'b', 'c'].map(async (sub) => router.wsClient(await issuer.sign({ sub, scope: `s:${sub}` }))),
    );
    const all = clients.map((client) => collect(client, { query }));
    await until(() => graph.openStreams() === 3);
    expect(await router.metric('timbre_router_upstream_sockets')).toBe(1);
    expect(await router.metric('timbre_router_subscriptions')).toBe(3);
    expect(
      graph.subscribedBy
        .map(({ userId, scopes }) => [userId, scopes])
        .toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))),
    ).toEqual([
      ['a', ['s:a']],
      ['b', ['s:b']],
      ['c', ['s:c']],
    ]);
    graph.tick();
    for (const { events, failure } of await Promise.all(all)) {
      expect(events).toHaveLength(2);
      expect(failure).toBeNull();
    }
    await until(() => graph.openStreams() === 0);
  });

  test('is let go when the client completes, and when it vanishes', async () => {
    const query = 'subscription { ticks(count: 9) { sequence } }';
    const client = router.wsClient();
    const stop = client.subscribe(
      { query },
      { next: () => undefined, error: () => undefined, complete: () => undefined },
    );
    await until(() => graph.openStreams() === 1);
    stop();
    await until(() => graph.openStreams() === 0);

    const vanishing = router.wsClient();
    vanishing.subscribe({ query }, { next: () => undefined, error: () => undefined, complete: () => undefined });
    await until(() => graph.openStreams() === 1);
    vanishing.terminate();
    await until(() => graph.openStreams() === 0);
    expect(graph.openStreams()).toBe(0);
  });

  test('comes back after a restart of the subgraph, without the client noticing', async () => {
    const arrived: unknown[] = [];
    let failure: unknown = null;
    const client = router.wsClient(await issuer.sign());
    const stop = client.subscribe(
      { query: 'subscription { ticks(count: 1000) { person { name } } }' },
      { next: ({ data }) => arrived.push(data), error: (error) => (failure = error), complete: () => undefined },
    );
    await until(() => arrived.length === 1);
    await graph.voices.stop();
    await until(() => graph.openStreams() === 0);
    await graph.voices.start();
    await until(() => graph.openStreams() === 1);
    graph.tick();
    await until(() => arrived.length === 3);
    expect(failure).toBeNull();
    stop();
    await until(() => graph.openStreams() === 0);
  });

  test.each([
    ['a literal', 'subscription { ticks(count: 5, after: 1) { sequence person { name } } }', {}],
    ['a variable', 'subscription ($a: Int!) { t: ticks(count: 5, after: $a) { sequence person { name } } }', { a: 1 }],
    ['the default', 'subscription { ticks(count: 5) { person { name } } }', {}],
  ])(
    'goes on after the last event where a rule says how, with %s as the first place',
    async (name, query, variables) => {
      const resuming = await startTestRouter(graph, { resume: { ticks: { argument: 'after', field: 'sequence' } } });
      const first = name === 'the default' ? 1 : 2;
      const names: unknown[] = [];
      const ended = new Promise((resolve) => {
        resuming.wsClient().subscribe<{ ticks?: Tick; t?: Tick }>(
          { query, variables },
          {
            next: ({ data }) => names.push((data?.ticks ?? data?.t)?.person.name),
            error: resolve,
            complete: () => resolve(null),
          },
        );
      });
      await until(() => names.length === 1);
      graph.tick();
      await until(() => names.length === 2);
      await graph.voices.stop();
      await until(() => graph.openStreams() === 0);
      await graph.voices.start();
      const ticking = setInterval(() => graph.tick(), 10);
      expect(await ended).toBeNull();
      clearInterval(ticking);
      expect(names).toEqual(Array.from({ length: 6 - first }, (_, i) => `Person p${first + i}`));
      await resuming.close();
    },
  );

  test('that stays away is told to the client', async () => {
    const nobody = createServer((socket) => socket.destroy());
    const url = `${await listen(nobody)}/graphql`;
    const alone = await startTestRouter(
      { supergraph: graph.supergraph, subgraphUrl: () => url },
      { streams: { retryAttempts: 2, maxRetryWaitMs: 10 } },
    );
    const { failure } = await collect(alone.wsClient(), { query: 'subscription { flood }' });
    expect(failure).toMatchObject([{ extensions: { code: 'SUBGRAPH_UNAVAILABLE' } }]);
    await alone.close();
    nobody.close();
  });
});

describe('a stream ends with an error', () => {
  test('when the token expires', async () => {
    const client = router.wsClient(await issuer.sign({ exp: now() + 2 }));
    const { events, failure } = await collect(client, { query: 'subscription { ticks(count: 9) { sequence } }' });
    expect(events).toHaveLength(1);
    expect(failure).toMatchObject([{ extensions: { code: 'SUBSCRIPTION_AUTH_EXPIRED' } }]);
    await until(() => graph.openStreams() === 0);
    const later = await collect(client, { query: '{ who { userId } }' });
    expect(later.failure).toMatchObject([{ extensions: { code: 'SUBSCRIPTION_AUTH_EXPIRED' } }]);
  });

  test('when the client cannot keep up', async () => {
    const slow = await startTestRouter(graph, { eventQueueCapacity: 10 });
    const { failure } = await collect(slow.wsClient(), { query: 'subscription { flood }' });
    expect(failure).toMatchObject([{ extensions: { code: 'SUBSCRIPTION_OVERFLOW' } }]);
    await slow.close();
  });
});

test('a router that goes away says so to its sockets', async () => {
  const leaving = await startTestRouter(graph);
  const client = leaving.wsClient();
  const closed = new Promise((resolve) => {
    client.on('closed', (event) => resolve(event));
  });
  client.subscribe(
    { query: 'subscription { ticks(count: 9) { sequence } }' },
    { next: () => undefined, error: () => undefined, complete: () => undefined },
  );
  await until(() => graph.openStreams() === 1);
  await leaving.drain();
  expect(await closed).toMatchObject({ code: 1001 });
  await until(() => graph.openStreams() === 0);
  await leaving.close();
});
