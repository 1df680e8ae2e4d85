import type { Client, SubscribePayload } from 'graphql-ws';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { createTestIssuer } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import { until } from '../testing/until.ts';

let graph: TestGraph;
let issuer: TestIssuer;
let router: TestRouter;

beforeAll(async () => {
  graph = await startTestGraph();
  issuer = await createTestIssuer();
  router = await startTestRouter(graph, { issuer, resume: { changes: { argument: 'after', field: 'sequence' } } });
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

const subscriptions = () => router.metric('timbre_router_subscriptions');
const now = () => Math.floor(Date.now() / 1000);

interface Reader {
  events: unknown[];
  failure: unknown;
  stop: () => void;
}

function read(client: Client, payload: SubscribePayload): Reader {
  const reader: Reader = { events: [], failure: null, stop: () => undefined };
  reader.stop = client.subscribe(payload, {
    next: (event) => reader.events.push(event),
    error: (error) => (reader.failure = error),
    complete: () => undefined,
  });
  return reader;
}

/** Subscribes, and waits until the router has taken the subscription. */
async function join(client: Client, payload: SubscribePayload): Promise<Reader> {
  const before = await subscriptions();
  const reader = read(client, payload);
  await until(async () => (await subscriptions()) === before + 1);
  return reader;
}

async function stopAll(readers: Reader[]) {
  for (const reader of readers) reader.stop();
  await until(() => graph.openStreams() === 0);
  await until(async () => (await subscriptions()) === 0);
}

const clientOf = async (claims: Record<string, unknown>) => router.wsClient(await issuer.sign(claims));
const CHANGES = 'subscription { changes { sequence person { name } } }';
const change = (n: number) => ({ data: { changes: { sequence: n, person: { name: `Person p${n}` } } } });

test('identical subscriptions of one principal read one upstream, until the last one leaves', async () => {
  const readers: Reader[] = [];
  for (const exp of [now() + 200, now() + 201, now() + 201]) {
    readers.push(await join(await clientOf({ sub: 'shared', exp }), { query: CHANGES }));
  }
  await until(() => graph.openStreams() === 1);
  graph.tick();
  await until(() => readers.every(({ events }) => events.length === 1));
  readers[0]?.stop();
  await until(async () => (await subscriptions()) === 2);
  expect(graph.openStreams()).toBe(1);
  graph.tick();
  await until(() => readers.slice(1).every(({ events }) => events.length === 2));
  expect(readers.map(({ events }) => events)).toEqual([[change(1)], [change(1), change(2)], [change(1), change(2)]]);
  expect(graph.openStreams()).toBe(1);
  await stopAll(readers);
});

test('what is not identical, or not of the same principal, has its own', async () => {
  const mine = await clientOf({ sub: 'own', scope: 'a' });
  const query = 'subscription ($n: Int!) { changes(after: $n) { sequence } }';
  const readers = [
    await join(mine, { query, variables: { n: 0 } }),
    await join(mine, { query, variables: { n: 7 } }),
    await join(mine, { query: 'subscription ($n: Int!) { c: changes(after: $n) { sequence } }', variables: { n: 0 } }),
    await join(await clientOf({ sub: 'own', scope: 'a b' }), { query, variables: { n: 0 } }),
    await join(await clientOf({ sub: 'other', scope: 'a' }), { query, variables: { n: 0 } }),
    await join(router.wsClient(), { query, variables: { n: 0 } }),
  ];
  await until(() => graph.openStreams() === readers.length);
  graph.tick();
  await until(() => readers.every(({ events }) => events.length === 1));
  expect(readers[1]?.events).toEqual([{ data: { changes: { sequence: 8 } } }]);
  await stopAll(readers);
});

test.each([
  ['that can be resumed', CHANGES, 'changes'],
  ['that nothing is known of', 'subscription { ticks(count: 9) { sequence } }', 'ticks'],
])('who comes after an event of a field %s misses nothing of it', async (_name, query, field) => {
  const client = await clientOf({ sub: field });
  const early = await join(client, { query });
  await until(() => graph.openStreams() === 1);
  graph.tick();
  await until(() => early.events.length > 0);
  const late = await join(client, { query });
  await until(() => graph.openStreams() === 2);
  graph.tick();
  await until(() => late.events.length > 0);
  expect(late.events[0]).toMatchObject({ data: { [field]: { sequence: 1 } } });
  await stopAll([early, late]);
});

test('a token that ends takes its reader only', async () => {
  const short = await join(await clientOf({ sub: 'expiring', exp: now() + 2 }), { query: CHANGES });
  const long = await join(await clientOf({ sub: 'expiring' }), { query: CHANGES });
  await until(() => short.failure !== null);
  expect(short.failure).toMatchObject([{ extensions: { code: 'SUBSCRIPTION_AUTH_EXPIRED' } }]);
  expect(graph.openStreams()).toBe(1);
  graph.tick();
  await until(() => long.events.length === 1);
  await stopAll([long]);
});

test('all go on where they were when the subgraph comes back', async () => {
  const client = await clientOf({ sub: 'resuming' });
  const readers = [await join(client, { query: CHANGES }), await join(client, { query: CHANGES })];
  await until(() => graph.openStreams() === 1);
  graph.tick();
  await until(() => readers.every(({ events }) => events.length === 1));
  await graph.voices.stop();
  await until(() => graph.openStreams() === 0);
  await graph.voices.start();
  await until(() => graph.openStreams() === 1);
  graph.tick();
  await until(() => readers.every(({ events }) => events.length === 2));
  for (const { events } of readers) expect(events).toEqual([change(1), change(2)]);
  await stopAll(readers);
});
