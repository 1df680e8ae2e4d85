import { once } from 'node:events';
import { createServer } from 'node:net';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EnvError } from '../env.ts';
import type { EnvSource } from '../env.ts';
import { createLogger } from '../logger.ts';
import { startCollector } from '../testing/collector.ts';
import type { Collector } from '../testing/collector.ts';
import { currentSpan, withinSpan } from './current-span.ts';
import { openTracing } from './open-tracing.ts';
import type { Tracing } from './tracing.ts';

const CLIENT = { trace: '4bf92f3577b34da6a3ce929d0e0e4736', span: '00f067aa0ba902b7' };
const SAMPLED = `00-${CLIENT.trace}-${CLIENT.span}-01`;

let collector: Collector;
let opened: Tracing[] = [];

beforeEach(async () => {
  collector = await startCollector();
});
afterEach(async () => {
  await Promise.all(opened.map((tracing) => tracing.close()));
  opened = [];
  vi.unstubAllEnvs();
  await collector.close();
});

async function open(source: EnvSource = {}, lines: string[] = []) {
  const registry = new Registry();
  const log = createLogger({ name: 'tracing', level: 'warn', stream: { write: (line) => void lines.push(line) } });
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '20', ...source };
  const tracing = await openTracing(env, { service: 'router', log, registry });
  if (tracing === null) throw new Error('Tracing is off.');
  opened.push(tracing);
  const count = async (outcome: string) => {
    const metric = await registry.getSingleMetric('timbre_trace_spans_total')?.get();
    return metric?.values.find(({ labels }) => labels['outcome'] === outcome)?.value;
  };
  return { tracing, count, registry };
}

test.each([
  ['no endpoint', {}],
  ['an empty endpoint', { OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }],
  ['disabled', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318', OTEL_SDK_DISABLED: 'true' }],
])('%s: there is no tracing', async (_name, source) => {
  const log = createLogger({ name: 'tracing', level: 'silent' });
  expect(await openTracing(source, { service: 'router', log, registry: new Registry() })).toBe(null);
});

test('bad variables are refused, all at once', async () => {
  const bad = { OTEL_EXPORTER_OTLP_ENDPOINT: 'grpc://x', OTEL_TRACES_SAMPLER: 'some', OTEL_TRACES_SAMPLER_ARG: '1.5' };
  const refused = await open(bad).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(EnvError);
  expect(String(refused)).toMatch(/ENDPOINT[^]*SAMPLER[^]*SAMPLER_ARG/);
});

test('spans are exported as a tree, with the resource and the headers of the environment', async () => {
  vi.stubEnv('OTEL_RESOURCE_ATTRIBUTES', 'deployment.environment.name=test');
  vi.stubEnv('OTEL_EXPORTER_OTLP_HEADERS', 'x-key=of-the-collector');
  const { tracing, count } = await open();
  const root = tracing.serve('query', 'server', { traceparent: SAMPLED, tracestate: 'vendor=1' }, { 'a.text': 'b' });
  const fetch = root.child('fetch users', 'client');
  fetch.fail('answered 500');
  fetch.set({ 'http.response.status_code': 500 });
  fetch.end();
  root.rename('mutation');
  root.end();

  const spans = await collector.until('mutation', 'fetch users');
  const [a, b] = [spans.find(({ name }) => name === 'mutation'), spans.find(({ name }) => name === 'fetch users')];
  expect(a).toMatchObject({
    service: 'router',
    traceId: CLIENT.trace,
    parentSpanId: CLIENT.span,
    attributes: { 'a.text': 'b' },
    failure: undefined,
    tracestate: 'vendor=1',
  });
  expect(a?.resource).toMatchObject({ 'service.namespace': 'timbre', 'deployment.environment.name': 'test' });
  expect(b).toMatchObject({ traceId: CLIENT.trace, parentSpanId: a?.spanId, failure: 'answered 500' });
  expect(b?.attributes).toEqual({ 'http.response.status_code': 500 });
  expect(fetch.headers).toEqual({ traceparent: `00-${CLIENT.trace}-${b?.spanId}-01`, tracestate: 'vendor=1' });
  expect(collector.requests[0]?.headers['x-key']).toBe('of-the-collector');
  await expect.poll(() => count('exported')).toBe(2);
});

test.each([
  undefined,
  '',
  SAMPLED.toUpperCase(),
  `${SAMPLED}-more`,
  `ff-${CLIENT.trace}-${CLIENT.span}-01`,
  `00-${'0'.repeat(32)}-${CLIENT.span}-01`,
  `00-${CLIENT.trace}-${'0'.repeat(16)}-01`,
  `00-${CLIENT.trace}-${CLIENT.span}`,
  `${SAMPLED}, ${SAMPLED}`,
  `01-${CLIENT.trace}-${CLIENT.span}-01-${'x'.repeat(10_000)}`,
  [SAMPLED],
  { toString: () => SAMPLED },
])('a malformed traceparent is as none, and so is what came with it (%#)', async (traceparent) => {
  const { tracing } = await open();
  const span = tracing.serve('query', 'server', { traceparent, tracestate: 'vendor=1' });
  expect(span.headers.traceparent).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-01$/);
  expect(span.headers.traceparent).not.toContain(CLIENT.trace);
  expect(span.headers.tracestate).toBe(undefined);
  span.end();
});

test('a later version is understood as far as it is known; a tracestate without end stays behind', async () => {
  const { tracing } = await open();
  const from = { traceparent: `01-${CLIENT.trace}-${CLIENT.span}-01-more`, tracestate: `a=${'x'.repeat(600)}` };
  const span = tracing.serve('query', 'server', from);
  expect(span.headers.traceparent).toMatch(`00-${CLIENT.trace}-`);
  expect(span.headers.tracestate).toBe(undefined);
  span.end();
});

test('what is not sampled is passed on as such and exported nowhere', async () => {
  const { tracing } = await open({ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' });
  const span = tracing.serve('unsampled', 'server', {});
  expect(span.recorded).toBe(false);
  expect(span.headers.traceparent).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-00$/);
  expect(span.child('fetch', 'client')).toBe(span);
  expect(span.follow('event', 'internal')).toBe(span);
  span.end();
  const asked = tracing.serve('asked for', 'server', { traceparent: SAMPLED });
  expect(asked.recorded).toBe(true);
  asked.end();
  const refused = tracing.serve('refused', 'server', { traceparent: SAMPLED.replace(/01$/, '00') });
  expect(refused.headers.traceparent).toMatch(new RegExp(`^00-${CLIENT.trace}-[\\da-f]{16}-00$`));
  refused.end();
  await collector.until('asked for');
  expect(collector.spans.map(({ name }) => name)).toEqual(['asked for']);
});

test('traceidratio lets no client decide what is recorded, and keeps traces whole', async () => {
  const { tracing } = await open({ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' });
  expect(tracing.serve('query', 'server', { traceparent: SAMPLED }).recorded).toBe(false);
  const { tracing: half } = await open({ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.5' });
  const roots = Array.from({ length: 200 }, () => half.serve('query', 'server', {}));
  const recorded = roots.filter((root) => root.recorded);
  expect(recorded.length).toBeGreaterThan(50);
  expect(recorded.length).toBeLessThan(150);
  for (const root of recorded) expect(root.child('fetch', 'client').recorded).toBe(true);
});

test('what follows is in a trace of its own, or in the one that it is named, with a link', async () => {
  const { tracing } = await open();
  const root = tracing.serve('subscription', 'server', {});
  root.follow('alone', 'internal').end();
  root.follow('joined', 'internal', {}, { traceparent: SAMPLED }).end();
  root.end();
  const spans = await collector.until('alone', 'joined', 'subscription');
  const [alone, joined, first] = ['alone', 'joined', 'subscription'].map((name) => spans.find((s) => s.name === name));
  expect(alone?.traceId).not.toBe(first?.traceId);
  expect(alone?.parentSpanId).toBe(undefined);
  expect(joined).toMatchObject({ traceId: CLIENT.trace, parentSpanId: CLIENT.span });
  for (const span of [alone, joined]) expect(span?.links).toMatchObject([{ spanId: first?.spanId }]);
});

test('a span is found where it cannot be handed on, and tells of a failure no more than its name', async () => {
  const { tracing } = await open();
  const failing = withinSpan(tracing.serve('outer', 'server', {}), async () => {
    await Promise.resolve();
    currentSpan.getStore()?.child('inner', 'client').end();
    throw new RangeError('what a person wrote');
  });
  await expect(failing).rejects.toThrow('what a person wrote');
  expect(currentSpan.getStore()).toBe(undefined);
  const spans = await collector.until('outer', 'inner');
  const outer = spans.find(({ name }) => name === 'outer');
  expect(spans.find(({ name }) => name === 'inner')?.parentSpanId).toBe(outer?.spanId);
  expect(outer?.failure).toBe('RangeError');
});

test('a collector that does not answer holds nothing up: the queue has an end, and what is dropped is counted', async () => {
  const goOn = collector.hang();
  const { tracing, count } = await open({ OTEL_BSP_MAX_QUEUE_SIZE: '100' });
  const make = (spans: number) => {
    for (let i = 0; i < spans; i += 1) tracing.serve('query', 'server', {}).end();
  };
  make(100);
  await expect.poll(() => collector.requests).toHaveLength(1);
  make(10_000);
  expect(await count('dropped')).toBe(9_900);
  goOn();
  await expect.poll(() => count('exported')).toBe(200);
});

test('a collector that is away costs its spans, is told of once, and delays no stop for long', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = taken.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  taken.close();
  const lines: string[] = [];
  vi.stubEnv('OTEL_EXPORTER_OTLP_TIMEOUT', '200');
  const { tracing, count } = await open({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` }, lines);
  tracing.serve('query', 'server', {}).end();
  await expect.poll(() => count('lost')).toBe(1);
  tracing.serve('query', 'server', {}).end();
  await expect.poll(() => count('lost')).toBe(2);
  expect(lines.filter((line) => line.includes('spans cannot be exported'))).toHaveLength(1);
  vi.unstubAllEnvs();
  const goOn = collector.hang();
  const { tracing: hanging } = await open();
  hanging.serve('query', 'server', {}).end();
  const started = performance.now();
  await hanging.close();
  expect(performance.now() - started).toBeLessThan(8_000);
  goOn();
});
