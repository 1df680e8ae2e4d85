import { Registry } from 'prom-client';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { collect, startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';

let graph: TestGraph;
let router: TestRouter;
let registry: Registry;

beforeAll(async () => {
  graph = await startTestGraph();
});
beforeEach(async () => {
  registry = new Registry();
  router = await startTestRouter(graph, { registry });
  return () => router.close();
});
afterAll(() => graph.close());

const NAMED = 'timbre_router_named_operation_duration_seconds';
const DURATION = 'timbre_router_operation_duration_seconds';

async function samples(name: string) {
  const metric = await registry.getSingleMetric(name)?.get();
  return metric?.values ?? [];
}

/** How many were counted; of a histogram as of a counter. */
async function count(name: string, labels: Record<string, string>): Promise<number> {
  return (await samples(name))
    .filter((sample) => !('metricName' in sample) || sample.metricName === `${name}_count`)
    .filter((sample) => Object.entries(labels).every(([label, value]) => Reflect.get(sample.labels, label) === value))
    .reduce((sum, { value }) => sum + value, 0);
}

const ask = (query: string, client?: string) =>
  router.query(query, { headers: client === undefined ? {} : { 'apollographql-client-name': client } });

test('operations are timed by their name and their client, over HTTP and websockets, batched or not', async () => {
  await ask('query Who { who { userId } }', 'web');
  await ask('query Who { who { userId } }', 'web');
  await ask('{ who { userId } }');
  const client = router.wsClient();
  await collect(client, { query: 'query Who { who { userId } }' });

  expect(await count(NAMED, { operation_name: 'Who', client: 'web' })).toBe(2);
  expect(await count(NAMED, { operation_name: '(none)', client: '(none)' })).toBe(1);
  expect(await count(NAMED, { operation_name: 'Who', client: '(none)' })).toBe(1);
  expect(await count(DURATION, { transport: 'http', operation: 'query', outcome: 'ok' })).toBe(3);
  expect(await count(DURATION, { transport: 'ws', operation: 'query', outcome: 'ok' })).toBe(1);
});

test('clients that invent names make no more series than there are places', async () => {
  await ask('query Known { who { userId } }', 'known');
  const invented = Array.from({ length: 300 }, (_, index) => index);
  for (let at = 0; at < invented.length; at += 50) {
    await Promise.all(invented.slice(at, at + 50).map((i) => ask(`query Op${i} { __typename }`, `client-${i % 60}`)));
  }
  await ask('query Op299 { __typename }', 'x'.repeat(1_000));
  await ask(`query ${'L'.repeat(1_000)} { __typename }`, 'quoted " \\ \u00e9');
  await ask('query Known { who { userId } }', 'known');

  const series = (await samples(NAMED)).filter(
    (sample) => 'metricName' in sample && sample.metricName === `${NAMED}_count`,
  );
  expect(series.length).toBeLessThanOrEqual(702);
  for (const label of ['operation_name', 'client']) {
    const values = new Set(series.map(({ labels }) => String(Reflect.get(labels, label))));
    expect(values.size).toBeLessThanOrEqual(202);
    for (const value of values) expect(value.length).toBeLessThanOrEqual(128);
  }
  expect(await count(NAMED, { operation_name: 'Known', client: 'known' })).toBe(2);
  expect(await count(NAMED, {})).toBe(304);
  expect(await count(NAMED, { operation_name: '(other)' })).toBeGreaterThan(100);
});

test('operations of trusted documents are told apart whatever clients have invented before', async () => {
  const manifest = 'query Trusted { __typename }';
  registry = new Registry();
  const documents = { automatic: null, trusted: { manifest, mode: 'off' as const } };
  const trusting = await startTestRouter(graph, { registry, documents });
  const askIt = (query: string, client: string) =>
    trusting.query(query, { headers: { 'apollographql-client-name': client } });
  for (let at = 0; at < 250; at += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, i) => askIt(`query Op${at + i} { __typename }`, `c${i}`)));
  }
  await askIt('query Late { __typename }', 'late');
  await askIt(manifest, 'late');
  await trusting.close();
  expect(await count(NAMED, { operation_name: 'Trusted', client: '(other)' })).toBe(1);
  expect(await count(NAMED, { operation_name: '(other)' })).toBe(51);
});

test('refusals are counted by their code, whatever brought the operation; those that are executed are not among them', async () => {
  await ask('{ nothing }');
  const client = router.wsClient();
  await collect(client, { query: '{ nothing }' });
  await fetch(`${router.url}?query=${encodeURIComponent('mutation { rename(name: "x") { id } }')}`);
  expect(await count('timbre_router_refusals_total', { code: 'GRAPHQL_VALIDATION_FAILED' })).toBe(2);
  expect(await count('timbre_router_refusals_total', { code: 'METHOD_NOT_ALLOWED' })).toBe(1);
  expect(await count(DURATION, { outcome: 'refused' })).toBe(3);
  expect(await count(NAMED, {})).toBe(0);
});

test('errors of answers and of events are counted by code: fields that were withheld are among them', async () => {
  await ask('{ people(first: 2) { email secret { value } } refuses }');
  expect(await count('timbre_router_errors_total', { code: 'UNAUTHORIZED_FIELD_OR_TYPE' })).toBeGreaterThanOrEqual(2);
  expect(await count('timbre_router_errors_total', { code: 'CONFLICT' })).toBe(1);
  const client = router.wsClient();
  await collect(client, { query: 'subscription { ticks(count: 1) { person { unlucky } } }' });
  expect(await count('timbre_router_errors_total', { code: 'GONE' })).toBe(1);
});

test('what runs is counted while it runs', async () => {
  const client = router.wsClient();
  const events = client.iterate({ query: 'subscription { changes { sequence } }' });
  const first = events.next();
  await expect.poll(() => count('timbre_router_active_operations', {})).toBe(1);
  await expect.poll(() => graph.openStreams()).toBe(1);
  graph.tick();
  await first;
  await events.return?.();
  await expect.poll(() => count('timbre_router_active_operations', {})).toBe(0);
});
