import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { compose } from '../../testing/compose.ts';
import { startControlledSubgraph } from '../../testing/controlled-subgraph.ts';
import { startTestGraph } from '../../testing/test-graph.ts';
import type { TestGraph } from '../../testing/test-graph.ts';
import { createTestIssuer } from '../../testing/test-issuer.ts';
import type { TestIssuer } from '../../testing/test-issuer.ts';
import { answerOf, codesOf, startTestRouter } from '../../testing/test-router.ts';
import type { TestRouter } from '../../testing/test-router.ts';
import { until } from '../../testing/until.ts';

let graph: TestGraph;
let issuer: TestIssuer;
let router: TestRouter;

beforeAll(async () => {
  graph = await startTestGraph();
  issuer = await createTestIssuer();
  router = await startTestRouter(graph, {
    issuer,
    batching: { maximum: 10 },
    demand: { mode: 'enforce', maximum: { default: 100 } },
    limits: { maxDepth: 20 },
  });
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

const post = (body: unknown, headers: Record<string, string> = {}, url = router.url) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const resultsSchema = z.array(
  z.looseObject({
    data: z.record(z.string(), z.unknown()).nullish(),
    errors: z.array(z.looseObject({ message: z.string(), extensions: z.looseObject({ code: z.string() }) })).optional(),
  }),
);
const resultsOf = async (response: Response) => resultsSchema.parse(await response.json());
const who = { query: '{ who { userId } }' };

describe('a batch', () => {
  test('is answered in its order, each operation by itself', async () => {
    const token = await issuer.sign({ sub: 'usr_1' });
    const response = await post(
      [
        { query: '{ person(id: "p1") { name } }' },
        { query: '{ nothing }' },
        { query: '{' },
        { query: '{ people(first: 1000) { voices(first: 1000) { label } } }' },
        { query: 'query ($id: ID!) { person(id: $id) { id } }', variables: { id: 'p2' } },
        { query: 'query A { who { userId } } query B { __typename }', operationName: 'A' },
        { query: '{ refuses }' },
        { query: 'mutation { rename(name: "of a batch") { name } }' },
      ],
      { authorization: `Bearer ${token}` },
    );
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    const results = await resultsOf(response);
    expect(results.map(({ data, errors }) => data ?? errors?.[0]?.extensions.code)).toEqual([
      { person: { name: 'Person p1' } },
      'GRAPHQL_VALIDATION_FAILED',
      'GRAPHQL_PARSE_FAILED',
      'COST_ESTIMATED_TOO_EXPENSIVE',
      { person: { id: 'p2' } },
      { who: { userId: 'usr_1' } },
      { refuses: null },
      { rename: { name: 'of a batch' } },
    ]);
    expect(results[6]?.errors).toMatchObject([{ message: 'Somebody was faster.', path: ['refuses'] }]);
  });

  test('of one is an array of one', async () => {
    expect(await resultsOf(await post([who]))).toEqual([{ data: { who: { userId: null } } }]);
  });

  test('has the type that clients read arrays in, whatever they take beside it', async () => {
    const response = await post([who], { accept: 'application/graphql-response+json, application/json;q=0.9' });
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect((await post([who], { accept: 'text/event-stream' })).status).toBe(406);
  });

  test('has no streams in it: a subscription is refused, what is deferred comes at once', async () => {
    const response = await post(
      [
        { query: 'subscription { ticks(count: 1) { sequence } }' },
        { query: '{ person(id: "p1") { name ... @defer { voices(first: 1) { label } } } }' },
      ],
      { accept: 'application/json, multipart/mixed;deferSpec=20220824, text/event-stream' },
    );
    const [subscription, deferred] = await resultsOf(response);
    expect(subscription?.errors?.[0]?.extensions.code).toBe('BAD_REQUEST');
    expect(graph.openStreams()).toBe(0);
    expect(deferred).toEqual({ data: { person: { name: 'Person p1', voices: [{ label: 'Voice 0 of p1' }] } } });
  });

  test('is authenticated once, for all of it', async () => {
    const answer = await answerOf(await post([who, who], { authorization: 'Bearer nonsense' }));
    expect([answer.status, codesOf(answer)]).toEqual([401, ['UNAUTHENTICATED']]);
    expect(await router.metric('timbre_router_auth_failures_total')).toBe(1);
  });

  test('counts as what it has in it', async () => {
    const count = async () =>
      (await (await fetch(new URL('/metrics', router.url))).text())
        .matchAll(/timbre_router_operation_duration_seconds_count\{[^}]*\} (?<n>\d+)/g)
        .reduce((sum, { groups }) => sum + Number(groups?.['n']), 0);
    const counted = await count();
    await post([who, who, { query: '{' }]);
    expect((await count()) - counted).toBe(3);
  });

  test.each([
    ['11 operations', Array.from({ length: 11 }, () => who), 422, 'BATCH_LIMIT_EXCEEDED', { maximum: 10, actual: 11 }],
    [
      '10,000 small ones',
      Array.from({ length: 10_000 }, () => ({ query: '{a}' })),
      422,
      'BATCH_LIMIT_EXCEEDED',
      { maximum: 10, actual: 10_000 },
    ],
    ['none', [], 400, 'BAD_REQUEST', undefined],
    ['a batch in it', [who, [who]], 400, 'BAD_REQUEST', undefined],
    ['null in it', [who, null], 400, 'BAD_REQUEST', undefined],
    ['a request without a query in it', [who, { operationName: 'A' }], 400, 'BAD_REQUEST', undefined],
    ['variables that are a list', [{ ...who, variables: [] }], 400, 'BAD_REQUEST', undefined],
    ['two commas', '[{"query":"{ __typename }"},,{"query":"{ __typename }"}]', 400, 'BAD_REQUEST', undefined],
  ])('of %s is refused as a whole', async (_name, body, status, code, details) => {
    const before = graph.calls.length;
    const answer = await answerOf(await post(body));
    expect(answer.status).toBe(status);
    expect(answer.errors).toMatchObject([{ extensions: { code, ...(details === undefined ? {} : { details }) } }]);
    expect(graph.calls).toHaveLength(before);
  });

  test('says which of its requests cannot be read', async () => {
    const answer = await answerOf(await post([who, who, { query: 1 }]));
    expect(answer.errors[0]?.message).toBe('At index 2 of the batch: "query" must be a string.');
  });

  test('is refused where batching is off', async () => {
    const single = await startTestRouter(graph);
    const answer = await answerOf(await post([who], {}, single.url));
    expect([answer.status, codesOf(answer)]).toEqual([400, ['BATCHING_NOT_ENABLED']]);
    await single.close();
  });
});

describe('the operations of a batch', () => {
  const fields = Array.from({ length: 8 }, (_, i) => `f${i}`);

  async function start() {
    const subgraph = await startControlledSubgraph(Object.fromEntries(fields.map((field) => [field, field])));
    const supergraph = compose({ one: `type Query { ${fields.map((field) => `${field}: String`).join(' ')} }` });
    const controlled = await startTestRouter(
      { supergraph, subgraphUrl: () => subgraph.url },
      { batching: { maximum: 10 } },
    );
    return {
      subgraph,
      controlled,
      holds: fields.map((field) => subgraph.hold(field)),
      batch: JSON.stringify(fields.map((field) => ({ query: `{ ${field} }` }))),
      close: async () => {
        await controlled.close();
        await subgraph.close();
      },
    };
  }

  test('run a few at once', async () => {
    const { subgraph, controlled, holds, batch, close } = await start();
    const response = post(batch, {}, controlled.url);
    await Promise.all(holds.slice(0, 5).map(({ held }) => held));
    expect((await controlled.query('{ __typename }')).data).toEqual({ __typename: 'Query' });
    expect(subgraph.asked).toHaveLength(5);
    holds[4]?.release();
    await holds[5]?.held;
    for (const hold of [7, 6, 5, 3, 2, 1, 0]) holds[hold]?.release();
    expect(await (await response).json()).toEqual(fields.map((field) => ({ data: { [field]: field } })));
    await close();
  });

  test('that nobody waits for any more are not begun', async () => {
    const { subgraph, controlled, holds, batch, close } = await start();
    const leaving = request(controlled.url, { method: 'POST', headers: { 'content-type': 'application/json' } });
    leaving.on('error', () => undefined).end(batch);
    await Promise.all(holds.slice(0, 5).map(({ held }) => held));
    leaving.destroy();
    // What was called for them is called off.
    await until(() => subgraph.sockets().open === 0);
    for (const hold of holds) hold.release();
    expect((await controlled.query('{ f7 }')).data).toEqual({ f7: 'f7' });
    expect(subgraph.asked).toHaveLength(6);
    await close();
  });
});
