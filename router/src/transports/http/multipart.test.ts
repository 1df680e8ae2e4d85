import { setTimeout as delay } from 'node:timers/promises';
import {
  ApolloClient,
  CombinedGraphQLErrors,
  CombinedProtocolErrors,
  gql,
  HttpLink,
  InMemoryCache,
} from '@apollo/client';
import { Defer20220824Handler } from '@apollo/client/incremental';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
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

beforeAll(async () => {
  graph = await startTestGraph();
  issuer = await createTestIssuer();
  router = await startTestRouter(graph, { issuer, csrfPrevention: true, keepAliveMs: 200 });
});

afterEach(async () => {
  await until(() => graph.openStreams() === 0);
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

const now = () => Math.floor(Date.now() / 1000);

function apolloClient(token?: string) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new ApolloClient({
    link: new HttpLink({ uri: router.url, headers }),
    cache: new InMemoryCache(),
    incrementalHandler: new Defer20220824Handler(),
  });
}

interface Read {
  data: unknown;
  error?: unknown;
}

/** What Apollo Client gives of a subscription until it ends. */
function read(client: ApolloClient, text: string, onEvent?: () => void): { events: Read[]; ended: Promise<void> } {
  const events: Read[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    client.subscribe({ query: gql(text) }).subscribe({
      next({ data, error }) {
        events.push(error === undefined ? { data } : { data, error });
        onEvent?.();
      },
      error: reject,
      complete: resolve,
    });
  });
  return { events, ended };
}

const send = (query: string, accept: string) =>
  fetch(router.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept },
    body: JSON.stringify({ query }),
  });

const SUBSCRIPTION = 'multipart/mixed;boundary="graphql";subscriptionSpec="1.0", application/json';
const DEFER = 'multipart/mixed;deferSpec=20220824, application/json';
const DEFERRED = '{ person(id: "p1") { name ... @defer(label: "v") { voices(first: 1) { label } } } }';

describe('a subscription in Apollo Client', () => {
  test('has its events in their order, completed by other subgraphs, and its end', async () => {
    const { events, ended } = read(
      apolloClient(),
      'subscription { ticks(count: 3) { sequence person { id name } } }',
      () => graph.tick(),
    );
    await ended;
    expect(events).toMatchObject(
      [1, 2, 3].map((n) => ({ data: { ticks: { sequence: n, person: { name: `Person p${n}` } } } })),
    );
    expect(events).toHaveLength(3);
  });

  test('survives heartbeats', async () => {
    const { events, ended } = read(apolloClient(), 'subscription { ticks(count: 2) { sequence } }');
    await until(() => events.length === 1);
    await delay(500);
    graph.tick();
    await ended;
    expect(events).toMatchObject([{ data: { ticks: { sequence: 1 } } }, { data: { ticks: { sequence: 2 } } }]);
  });

  test('that is not valid is told why', async () => {
    const { events, ended } = read(apolloClient(), 'subscription { nothing }');
    await ended.catch(() => undefined);
    const error = events[0]?.error;
    expect(CombinedGraphQLErrors.is(error) && error.errors).toMatchObject([
      { extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } },
    ]);
  });

  test('ends with an error of the protocol when its token expires', async () => {
    const token = await issuer.sign({ exp: now() + 2 });
    const { events, ended } = read(apolloClient(token), 'subscription { ticks(count: 9) { sequence } }');
    await ended.catch(() => undefined);
    const error = events.at(-1)?.error;
    expect(CombinedProtocolErrors.is(error) && error.errors).toMatchObject([
      { extensions: { code: 'SUBSCRIPTION_AUTH_EXPIRED' } },
    ]);
  });
});

describe('@defer in Apollo Client', () => {
  test('comes in parts', async () => {
    const states: unknown[] = [];
    const client = apolloClient();
    await new Promise<void>((resolve, reject) => {
      const observable = client.watchQuery({ query: gql(DEFERRED), fetchPolicy: 'no-cache' });
      observable.subscribe({
        next({ data, dataState }) {
          states.push({ dataState, data });
          if (dataState === 'complete') resolve();
        },
        error: reject,
      });
    });
    expect(states.slice(-2)).toMatchObject([
      { dataState: 'streaming', data: { person: { name: 'Person p1' } } },
      { dataState: 'complete', data: { person: { name: 'Person p1', voices: [{ label: 'Voice 0 of p1' }] } } },
    ]);
    client.stop();
  });
});

describe('the body', () => {
  const PART = 'content-type: application/json; charset=utf-8\r\n\r\n';

  test('of a subscription has a part for each event, and nothing behind the last delimiter', async () => {
    const response = await send('subscription { ticks(count: 1) { sequence } }', SUBSCRIPTION);
    expect(response.headers.get('content-type')).toBe('multipart/mixed;boundary="graphql";subscriptionSpec=1.0');
    expect(await response.text()).toBe(
      `\r\n--graphql\r\n${PART}{"payload":{"data":{"ticks":{"sequence":1}}}}\r\n--graphql--\r\n`,
    );
  });

  test('of a subscription ends upstream when its client leaves', async () => {
    const response = await send('subscription { changes { sequence } }', SUBSCRIPTION);
    await until(() => graph.openStreams() === 1);
    await response.body?.cancel();
    await until(() => graph.openStreams() === 0);
    expect(graph.openStreams()).toBe(0);
  });

  test('of a deferred query says in each part whether more comes', async () => {
    const response = await send(DEFERRED, DEFER);
    expect(response.headers.get('content-type')).toBe('multipart/mixed;boundary="graphql";deferSpec=20220824');
    const [preamble, ...parts] = (await response.text()).split('\r\n--graphql');
    expect(preamble).toBe('');
    expect(parts.pop()).toBe('--\r\n');
    const bodies = parts.map((part): unknown => JSON.parse(part.slice(`\r\n${PART}`.length)));
    expect(bodies).toEqual([
      { data: { person: { name: 'Person p1' } }, hasNext: true },
      {
        incremental: [{ data: { voices: [{ label: 'Voice 0 of p1' }] }, path: ['person'], label: 'v' }],
        hasNext: false,
      },
    ]);
  });

  test.each([
    ['does not take parts', 'application/json'],
    ['takes anything', '*/*'],
    ['knows another form of them', 'multipart/mixed;incrementalSpec=v0.2, application/json'],
  ])('is one response where the client %s', async (_name, accept) => {
    const response = await send(DEFERRED, accept);
    expect(response.headers.get('content-type')).toContain('application/json');
    expect(await response.json()).toEqual({
      data: { person: { name: 'Person p1', voices: [{ label: 'Voice 0 of p1' }] } },
    });
  });

  test('is one response where nothing is deferred, and for what is refused', async () => {
    for (const query of [
      '{ person(id: "p1") { name } }',
      '{ nothing }',
      '{ person(id: "p1") { name ... @defer(if: false) { id } } }',
    ]) {
      expect((await send(query, DEFER)).headers.get('content-type')).toContain('application/json');
    }
  });

  test('is parts all the same where nothing else is taken', async () => {
    const refused = await send('{ nothing }', 'multipart/mixed;deferSpec=20220824');
    expect(await refused.text()).toContain('"code":"GRAPHQL_VALIDATION_FAILED"');
    const answered = await send('{ person(id: "p1") { name } }', 'multipart/mixed;deferSpec=20220824');
    expect(await answered.text()).toBe(
      `\r\n--graphql\r\n${PART}{"data":{"person":{"name":"Person p1"}}}\r\n--graphql--\r\n`,
    );
  });
});
