import { speechText } from '@timbre/cli/bench/speech-text';
import { followGeneration, orderSpeech } from '@timbre/cli/client/speak';
import { MeDocument } from '@timbre/cli/generated/graphql';
import { startCollector, type CollectedSpan, type Collector } from '@timbre/platform/testing/collector';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { firstModel, libraryVoice } from '../testkit/library.ts';
import { ownSystem } from '../testkit/own-system.ts';
import { signIn } from '../testkit/users.ts';

let collector: Collector;
let system: Awaited<ReturnType<typeof ownSystem>>;
beforeAll(async () => {
  collector = await startCollector();
  system = await ownSystem({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '100' });
});
afterAll(async () => {
  await system.stop();
  await collector.close();
});

/** All there is of the trace in which an operation of this name was asked for, as soon as `isWhole`. */
function traceOf(operationName: string, isWhole: (spans: CollectedSpan[]) => boolean): Promise<CollectedSpan[]> {
  return vi.waitFor(() => {
    const [root] = collector.spans.filter(
      (span) => span.service === 'router' && span.attributes['graphql.operation.name'] === operationName,
    );
    expect(root, `the span of ${operationName}`).toBeDefined();
    const spans = collector.spans.filter(({ traceId }) => traceId === root?.traceId);
    expect(isWhole(spans), `whole: ${spans.map(({ service, name }) => `${service}: ${name}`).join(', ')}`).toBe(true);
    return spans;
  }, 20_000);
}

/** `router: query > router: fetch users > …`, from the root. */
function pathOf(span: CollectedSpan, all: readonly CollectedSpan[]): string {
  const parent = all.find(({ spanId }) => spanId === span.parentSpanId);
  const name = `${span.service}: ${span.name}`;
  return parent === undefined ? name : `${pathOf(parent, all)} > ${name}`;
}

test('a request is one trace from the router to the SQL of its subgraphs, and holds no secret', async () => {
  const { client, token, email } = await signIn(system, { email: 'traced-person@example.com' });
  await client.execute(MeDocument, {});
  const spans = await traceOf('Me', (all) => all.filter(({ name }) => name === 'SELECT').length >= 2);
  expect(spans.filter(({ parentSpanId }) => parentSpanId === undefined)).toHaveLength(1);
  const paths = spans.map((span) => pathOf(span, spans));
  for (const subgraph of ['users', 'billing']) {
    expect(paths).toContain(
      `router: query > router: fetch ${subgraph} > ${subgraph}: GraphQL Operation > ${subgraph}: SELECT`,
    );
  }
  for (const secret of [token, email, 'Bearer ']) expect(collector.text()).not.toContain(secret);
});

test('speech is one trace from the order to the worker that speaks it; events are linked to who follows', async () => {
  const { client } = await signIn(system, { email: 'traced-speaker@example.com' });
  const text = speechText(300, 'a text that no trace tells');
  const id = await orderSpeech(client, {
    voiceId: await libraryVoice(client),
    modelId: await firstModel(client),
    text,
  });
  for await (const event of followGeneration(client, id)) void event;

  const spans = await traceOf('GenerateSpeech', (all) => all.some(({ name }) => name === 'job tts.generate'));
  const paths = spans.map((span) => pathOf(span, spans));
  const order = 'router: mutation > router: fetch tts > tts: GraphQL Operation';
  expect(paths).toContain(`${order} > tts: COMMIT`);
  expect(paths).toContain(`${order} > tts-worker: job tts.generate > tts-worker: UPDATE`);

  const event = await vi.waitFor(() => {
    const found = collector.spans.find((span) => span.service === 'router' && span.name === 'subscription event');
    expect(found).toBeDefined();
    return found;
  }, 20_000);
  const parent = collector.spans.find(({ spanId }) => spanId === event?.parentSpanId);
  expect(parent).toMatchObject({ service: 'tts', name: 'subscription event' });
  const followed = collector.spans.find(({ spanId }) => spanId === event?.links[0]?.spanId);
  expect(followed).toMatchObject({ service: 'router', name: 'subscription' });
  expect(collector.text()).not.toContain(text.slice(0, 40));
});
