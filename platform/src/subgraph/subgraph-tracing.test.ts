import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { HttpServer } from '../http-server.ts';
import { createIdentityVerifier, IDENTITY_HEADER } from '../identity.ts';
import { createLogger } from '../logger.ts';
import { createMetrics } from '../metrics.ts';
import { startSubgraph } from '../subgraph-server.ts';
import { currentSpan } from '../telemetry/current-span.ts';
import { signedIdentity, TEST_SECRET } from '../testing/caller.ts';
import { startTestTracing } from '../testing/test-tracing.ts';
import type { TestTracing } from '../testing/test-tracing.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const traceparent = `00-${TRACE}-${SPAN}-01`;

let tracing: TestTracing;
let server: HttpServer;

/** As a repository's query is: told of nothing. */
async function look(name: string): Promise<string> {
  await Promise.resolve();
  currentSpan.getStore()?.child(`query of ${name}`, 'client').end();
  return name;
}

beforeAll(async () => {
  tracing = await startTestTracing();
  server = await startSubgraph({
    name: 'test',
    typeDefs: 'type Query { name(secret: String): String fails: String } type Subscription { names: String }',
    resolvers: {
      Query: { name: () => look('a request') },
      Subscription: {
        names: {
          subscribe: async function* names() {
            yield 'one';
            yield 'two';
          },
          resolve: (name: string) => look(`event ${name}`),
        },
      },
    },
    createContext: (base) => base,
    verifyIdentity: createIdentityVerifier(TEST_SECRET),
    port: 0,
    host: '127.0.0.1',
    ready: () => undefined,
    log: createLogger({ name: 'test', level: 'silent' }),
    metrics: createMetrics({ service: 'test' }),
    tracing: await tracing.tracingOf('test'),
  });
});
afterAll(async () => {
  await server.close();
  await tracing.close();
});

const post = (body: object, headers: Record<string, string> = {}) =>
  fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', [IDENTITY_HEADER]: signedIdentity('usr_1'), ...headers },
    body: JSON.stringify(body),
  });

const byName = (name: string) => tracing.collector.spans.filter((span) => span.name === name);

test('a request is a span of its caller’s trace, and what its resolvers ask for is below it', async () => {
  const query = 'query Names($secret: String) { name(secret: $secret) }';
  await post({ query, operationName: 'Names', variables: { secret: 'hidden' } }, { traceparent });
  await tracing.collector.until('GraphQL Operation', 'query of a request');
  const [request] = byName('GraphQL Operation');
  expect(request).toMatchObject({ service: 'test', traceId: TRACE, parentSpanId: SPAN, failure: undefined });
  expect(request?.attributes).toEqual({
    'graphql.operation.name': 'Names',
    'graphql.operation.type': 'query',
    'http.response.status_code': 200,
  });
  expect(byName('query of a request')).toMatchObject([{ traceId: TRACE, parentSpanId: request?.spanId }]);
  expect(tracing.collector.text()).not.toContain('hidden');
  expect(tracing.collector.text()).not.toContain(signedIdentity('usr_1').slice(0, 20));
});

test('what is refused before it is read is told of, too', async () => {
  const trace = TRACE.replace(/^4b/, '4c');
  await post({}, { traceparent: `00-${trace}-${SPAN}-01`, [IDENTITY_HEADER]: 'forged' });
  await expect
    .poll(() => tracing.collector.spans.find(({ traceId }) => traceId === trace)?.attributes)
    .toEqual({ 'http.response.status_code': 401 });
});

test('a trace that is not sampled leaves nothing', async () => {
  const trace = TRACE.replace(/^4b/, '4d');
  await post({ query: '{ name }' }, { traceparent: `00-${trace}-${SPAN}-00` });
  await post({ query: 'query Last { name }', operationName: 'Last' }, { traceparent });
  await expect
    .poll(() => tracing.collector.spans.map(({ attributes }) => attributes['graphql.operation.name']))
    .toContain('Last');
  expect(tracing.collector.spans.filter(({ traceId }) => traceId === trace)).toEqual([]);
});

test('a subscription is a span, each event is one of its own that is linked to it, and says which to the router', async () => {
  const client = createClient({ url: `${server.url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket });
  const extensions = { identity: signedIdentity('usr_1'), traceparent };
  const events = [];
  for await (const event of client.iterate({ query: 'subscription { names }', extensions })) events.push(event);
  await client.dispose();

  await tracing.collector.until('subscription', 'query of event two');
  await expect.poll(() => byName('subscription event')).toHaveLength(2);
  const [subscription] = byName('subscription');
  expect(subscription).toMatchObject({ traceId: TRACE, parentSpanId: SPAN });
  for (const [index, span] of byName('subscription event').entries()) {
    expect(span.links).toMatchObject([{ traceId: TRACE, spanId: subscription?.spanId }]);
    expect(span.traceId).not.toBe(TRACE);
    const queries = byName(`query of event ${index === 0 ? 'one' : 'two'}`);
    expect(queries).toMatchObject([{ traceId: span.traceId, parentSpanId: span.spanId }]);
    expect(events[index]?.extensions).toEqual({ traceparent: `00-${span.traceId}-${span.spanId}-01` });
  }
});

test('whatever a subscribe brings for a traceparent, it is served, and its events stay as they are', async () => {
  for (const bad of ['', 'x'.repeat(100_000), 7, null, [traceparent], traceparent.replace(/1$/, '0')]) {
    const client = createClient({ url: `${server.url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket });
    const extensions = { identity: signedIdentity('usr_1'), traceparent: bad, tracestate: { a: 1 } };
    const events = [];
    for await (const event of client.iterate({ query: 'subscription { names }', extensions })) events.push(event.data);
    expect(events).toEqual([{ names: 'event one' }, { names: 'event two' }]);
    await client.dispose();
  }
});
