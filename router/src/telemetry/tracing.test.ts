import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { CollectedSpan } from '@timbre/platform/testing/collector';
import { startTestTracing } from '@timbre/platform/testing/test-tracing';
import type { TestTracing } from '@timbre/platform/testing/test-tracing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listen } from '../testing/listen.ts';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { collect, startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import { until } from '../testing/until.ts';

const SPAN = '00f067aa0ba902b7';
let traces = 0;

/** Of a client that traces, and wants to be traced. */
function clientTrace() {
  const traceId = String((traces += 1)).padStart(32, 'c');
  return { traceId, traceparent: `00-${traceId}-${SPAN}-01` };
}

let tracing: TestTracing;
let graph: TestGraph;
let router: TestRouter;

beforeAll(async () => {
  tracing = await startTestTracing();
  graph = await startTestGraph(tracing.tracingOf);
  router = await startTestRouter(graph, { tracing: await tracing.tracingOf('router') });
});
afterAll(async () => {
  await router.close();
  await graph.close();
  await tracing.close();
});

/** The spans of a trace as `service: name` with those below, in the order of their names. */
type Tree = [string, ...Tree[]];

async function treeOf(traceId: string, parent: string, size: number): Promise<Tree[]> {
  const ofTrace = () => tracing.collector.spans.filter((span) => span.traceId === traceId);
  await until(() => ofTrace().length >= size);
  const all = ofTrace();
  expect(all).toHaveLength(size);
  const below = (id: string): Tree[] =>
    all
      .filter(({ parentSpanId }) => parentSpanId === id)
      .map(({ service, name, spanId }): Tree => [`${service}: ${name}`, ...below(spanId)])
      .toSorted(([a], [b]) => a.localeCompare(b));
  return below(parent);
}

const one = (traceId: string, name: string): CollectedSpan | undefined =>
  tracing.collector.spans.find((span) => span.traceId === traceId && span.name === name);

const PLANNED = 'query People { people { name voices(first: 1) { label } } }';

test('a request is one tree: the operation, its preparation and fetches, and what subgraphs make of these', async () => {
  const { traceId, traceparent } = clientTrace();
  const headers = { traceparent, tracestate: 'vendor=1', 'apollographql-client-name': 'web' };
  const { data } = await router.query(PLANNED, { headers });
  expect(data).toMatchObject({ people: [{ name: 'Person p0' }, {}, {}] });

  expect(await treeOf(traceId, SPAN, 7)).toEqual([
    [
      'router: query',
      ['router: fetch people', ['people: GraphQL Operation']],
      ['router: fetch voices', ['voices: GraphQL Operation']],
      ['router: prepare', ['router: plan']],
    ],
  ]);
  expect(one(traceId, 'query')?.attributes).toMatchObject({
    'graphql.operation.name': 'People',
    'graphql.operation.type': 'query',
    'timbre.document.sha256': expect.stringMatching(/^[\da-f]{64}$/),
    'graphql.client.name': 'web',
    'timbre.transport': 'http',
  });
  expect(one(traceId, 'fetch voices')).toMatchObject({
    tracestate: 'vendor=1',
    attributes: { 'timbre.subgraph': 'voices', 'timbre.entities': 3, 'http.response.status_code': 200 },
  });

  const again = clientTrace();
  await router.query(PLANNED, { headers: { traceparent: again.traceparent } });
  expect((await treeOf(again.traceId, SPAN, 6))[0]).toContainEqual(['router: prepare']);
});

test('neither tokens nor variables nor literals nor answers are told', async () => {
  const { traceId, traceparent } = clientTrace();
  const query = 'query Secrets($id: ID!) { person(id: $id) { name } other: person(id: "literal-secret") { name } }';
  const headers = { traceparent, authorization: 'Bearer token-secret' };
  await router.query(query, { variables: { id: 'variable-secret' }, headers });
  await until(() => one(traceId, 'query') !== undefined);
  for (const secret of ['literal-secret', 'variable-secret', 'token-secret', 'Person ']) {
    expect(tracing.collector.text()).not.toContain(secret);
  }
});

test('what fails is told by its code: a refusal, an error of a subgraph, a subgraph that is away', async () => {
  const [refused, failed, away] = [clientTrace(), clientTrace(), clientTrace()];
  await router.query('{ nothing }', { headers: { traceparent: refused.traceparent } });
  await router.query('{ refuses }', { headers: { traceparent: failed.traceparent } });
  await graph.voices.stop();
  await router.query('{ voice(id: "v") { label } }', { headers: { traceparent: away.traceparent } });
  await graph.voices.start();

  expect(await treeOf(refused.traceId, SPAN, 2)).toEqual([['router: GraphQL Operation', ['router: prepare']]]);
  for (const name of ['GraphQL Operation', 'prepare']) {
    expect(one(refused.traceId, name)?.failure).toBe('GRAPHQL_VALIDATION_FAILED');
  }
  await expect.poll(() => one(failed.traceId, 'query')?.failure).toBe('CONFLICT');
  expect(one(failed.traceId, 'fetch people')?.failure).toBe('CONFLICT');
  await expect.poll(() => one(away.traceId, 'query')?.failure).toBe('SUBGRAPH_UNAVAILABLE');
  expect(one(away.traceId, 'fetch voices')?.failure).toMatch(/^SUBGRAPH_UNAVAILABLE: The subgraph "voices"/);
});

test('calls that share an answer have a span each', async () => {
  const [first, second] = [clientTrace(), clientTrace()];
  await Promise.all(
    [first, second].map(({ traceparent }) =>
      router.query('{ voice(id: "same") { label } }', { headers: { traceparent } }),
    ),
  );
  for (const { traceId } of [first, second]) await expect.poll(() => one(traceId, 'fetch voices')).toBeDefined();
});

test('an operation that is delivered in parts lasts until the last', async () => {
  const { traceId, traceparent } = clientTrace();
  const response = await fetch(router.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'multipart/mixed;deferSpec=20220824',
      traceparent,
    },
    body: JSON.stringify({ query: '{ person(id: "p1") { name ... @defer { voices(first: 1) { label } } } }' }),
  });
  expect(await response.text()).toContain('Voice 0 of p1');
  await until(() => one(traceId, 'query') !== undefined);
  expect(await treeOf(traceId, SPAN, 7)).toMatchObject([['router: query', {}, { 0: 'router: fetch voices' }, {}]]);
});

test('over a websocket the extensions name the trace; each event is a trace, begun by the subgraph', async () => {
  const { traceId, traceparent } = clientTrace();
  const client = router.wsClient();
  const subscription = 'subscription Ticks { ticks(count: 2) { sequence person { name } } }';
  const { events } = await collect(client, { query: subscription, extensions: { traceparent } }, () => graph.tick());
  expect(events).toHaveLength(2);
  expect(events.map((event) => Object.keys(event))).toEqual([['data'], ['data']]);

  expect(await treeOf(traceId, SPAN, 4)).toEqual([
    ['router: subscription', ['router: prepare', ['router: plan']], ['voices: subscription']],
  ]);
  const atSubgraph = () =>
    tracing.collector.spans.filter(({ service, name }) => `${service}: ${name}` === 'voices: subscription event');
  await expect.poll(atSubgraph).toHaveLength(2);
  for (const event of atSubgraph()) {
    expect(event.links).toMatchObject([{ traceId }]);
    expect(await treeOf(event.traceId, event.spanId, 4)).toEqual([
      ['router: subscription event', ['router: fetch people', ['people: GraphQL Operation']]],
    ]);
    const atRouter = tracing.collector.spans.find(({ parentSpanId }) => parentSpanId === event.spanId);
    expect(atRouter?.links).toMatchObject([{ traceId }]);
  }
});

test('baggage and what is malformed stay behind; subgraphs are told the router’s own place in the trace', async () => {
  const seen: NodeJS.Dict<string | string[]>[] = [];
  const subgraph: Server = createServer((req, res) => {
    seen.push(req.headers);
    req.resume().once('end', () => res.setHeader('content-type', 'application/json').end('{"data":{"costly":"x"}}'));
  });
  const url = await listen(subgraph);
  const other = await startTestRouter(
    { supergraph: graph.supergraph, subgraphUrl: () => url },
    { tracing: await tracing.tracingOf('router'), propagateHeaders: ['TraceParent', 'tracestate', 'x-kept'] },
  );
  const bad = {
    traceparent: `00-${'0'.repeat(32)}-${SPAN}-01`,
    tracestate: 'vendor=1',
    baggage: 'a=b',
    'x-kept': 'yes',
  };
  await other.query('{ costly }', { headers: bad });
  const { traceId, traceparent } = clientTrace();
  await other.query('{ costly }', { headers: { traceparent, tracestate: 'vendor=1' } });
  await other.query('{ costly }', { headers: { traceparent: traceparent.replace(/1$/, '0') } });
  await other.close();
  subgraph.close();
  await until(() => one(traceId, 'fetch people') !== undefined);

  expect(seen[0]?.['traceparent']).toMatch(/^00-(?!0{32})[\da-f]{32}-(?!00f067aa)[\da-f]{16}-01$/);
  expect(seen[0]).not.toHaveProperty('tracestate');
  expect(seen[0]).not.toHaveProperty('baggage');
  expect(seen[0]).toMatchObject({ 'x-kept': 'yes' });
  expect(seen[1]).toMatchObject({
    traceparent: `00-${traceId}-${one(traceId, 'fetch people')?.spanId ?? ''}-01`,
    tracestate: 'vendor=1',
  });
  expect(seen[2]?.['traceparent']).toMatch(new RegExp(`^00-${traceId}-[\\da-f]{16}-00$`));
});

test('a line of the access log names the trace, where it is recorded', async () => {
  const lines: string[] = [];
  const logging = await startTestRouter(graph, {
    tracing: await tracing.tracingOf('router'),
    accessLog: { stream: { write: (line) => void lines.push(line) } },
  });
  const [recorded, unsampled] = [clientTrace(), clientTrace()];
  await logging.query('query A { __typename }', { headers: { traceparent: recorded.traceparent } });
  await logging.query('query B { __typename }', { headers: { traceparent: unsampled.traceparent.replace(/1$/, '0') } });
  await logging.close();
  expect(lines.find((line) => line.includes('"operationName":"A"'))).toContain(`"trace":"${recorded.traceId}"`);
  expect(lines.find((line) => line.includes('"operationName":"B"'))).not.toContain('"trace"');
});

test('without tracing the client’s context goes through as it is', async () => {
  const plain = await startTestRouter(graph);
  const { traceId, traceparent } = clientTrace();
  await plain.query('{ who { requestId } }', { headers: { traceparent } });
  expect(await treeOf(traceId, SPAN, 1)).toEqual([['people: GraphQL Operation']]);
  await plain.close();
});
