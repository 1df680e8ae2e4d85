import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { createClient } from 'graphql-sse';
import type { Client } from 'graphql-sse';
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
const clients: Client[] = [];

beforeAll(async () => {
  graph = await startTestGraph();
  issuer = await createTestIssuer();
  router = await startTestRouter(graph, { issuer, keepAliveMs: 200 });
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.dispose();
  await until(() => graph.openStreams() === 0);
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

const now = () => Math.floor(Date.now() / 1000);
const SSE = 'text/event-stream';

function clientOf(token?: string): Client {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const client = createClient({ url: router.url, retryAttempts: 0, headers });
  clients.push(client);
  return client;
}

/** Everything that an operation gives until it ends. */
async function collect(client: Client, query: string, onEvent?: () => void) {
  const events: unknown[] = [];
  for await (const event of client.iterate({ query })) {
    events.push(event);
    onEvent?.();
  }
  return events;
}

const send = (query: string, headers: Record<string, string> = {}, url = router.url) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: SSE, ...headers },
    body: JSON.stringify({ query }),
  });

describe('the client of graphql-sse', () => {
  test.each([
    ['a query', '{ person(id: "p1") { name } }', { person: { name: 'Person p1' } }],
    ['a mutation', 'mutation { rename(name: "Ada") { name } }', { rename: { name: 'Ada' } }],
  ])('has the result of %s', async (_name, query, data) => {
    expect(await collect(clientOf(await issuer.sign()), query)).toEqual([{ data }]);
  });

  test('has the events of a subscription in their order, completed by other subgraphs, and its end', async () => {
    const events = await collect(clientOf(), 'subscription { ticks(count: 5) { sequence person { name } } }', () =>
      graph.tick(),
    );
    expect(events).toEqual(
      [1, 2, 3, 4, 5].map((n) => ({ data: { ticks: { sequence: n, person: { name: `Person p${n}` } } } })),
    );
  });

  test.each([
    ['a syntax error', '{', 'GRAPHQL_PARSE_FAILED'],
    ['an unknown field', 'subscription { nothing }', 'GRAPHQL_VALIDATION_FAILED'],
  ])('is told %s in the stream', async (_name, query, code) => {
    expect(await collect(clientOf(), query)).toMatchObject([{ errors: [{ extensions: { code } }] }]);
  });

  test('is told when its token expires', async () => {
    const client = clientOf(await issuer.sign({ exp: now() + 2 }));
    const events = await collect(client, 'subscription { ticks(count: 9) { sequence } }');
    expect(events).toMatchObject([
      { data: { ticks: { sequence: 1 } } },
      { errors: [{ extensions: { code: 'SUBSCRIPTION_AUTH_EXPIRED' } }] },
    ]);
  });

  test('ends the upstream when it leaves', async () => {
    const client = clientOf();
    const leave = client.subscribe(
      { query: 'subscription { changes { sequence } }' },
      { next: () => undefined, error: () => undefined, complete: () => undefined },
    );
    await until(() => graph.openStreams() === 1);
    leave();
    await until(() => graph.openStreams() === 0);
    await until(async () => (await router.metric('timbre_router_subscriptions')) === 0);
    expect(graph.openStreams()).toBe(0);
  });
});

describe('the stream', () => {
  test('is events as the protocol writes them', async () => {
    const response = await send('subscription { ticks(count: 1) { sequence } }');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store, no-transform');
    expect(response.headers.get('content-encoding')).toBeNull();
    expect(await response.text()).toBe(
      ':\n\nevent: next\ndata: {"data":{"ticks":{"sequence":1}}}\n\nevent: complete\ndata: \n\n',
    );
  });

  test('by GET is the same, but not for mutations', async () => {
    const get = (query: string) =>
      fetch(`${router.url}?${new URLSearchParams({ query }).toString()}`, { headers: { accept: SSE } });
    expect(await (await get('subscription { ticks(count: 1) { sequence } }')).text()).toContain('event: complete');
    expect((await get('mutation { rename(name: "by link") { name } }')).status).toBe(405);
    expect(graph.calls).not.toContain('rename by link');
  });

  test('is chosen for a query only where the client takes nothing else', async () => {
    const both = await send('{ person(id: "p1") { name } }', { accept: `application/json;q=0.1, ${SSE}` });
    expect(both.headers.get('content-type')).toContain('application/json');
    const subscription = await send('subscription { ticks(count: 1) { sequence } }', {
      accept: `application/json, ${SSE};q=0.1`,
    });
    expect(subscription.headers.get('content-type')).toContain(SSE);
    await subscription.body?.cancel();
    for (const accept of ['*/*', 'text/*', `${SSE};q=0`]) {
      const response = await send('subscription { ticks(count: 1) { sequence } }', { accept });
      expect([400, 406]).toContain(response.status);
    }
  });

  test('has heartbeats while nothing happens', async () => {
    const response = await send('subscription { changes { sequence } }');
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.endsWith(':\n\n:\n\n:\n\n')) text += (await reader?.read())?.value ?? '';
    await reader?.cancel();
    expect(text).not.toContain('event');
  });

  test('needs what every request needs', async () => {
    const strict = await startTestRouter(graph, { issuer, csrfPrevention: true });
    const get = `${strict.url}?query=${encodeURIComponent('subscription { ticks(count: 1) { sequence } }')}`;
    expect((await fetch(get, { headers: { accept: SSE } })).status).toBe(400);
    expect((await send('{', { authorization: 'Bearer nonsense' }, strict.url)).status).toBe(401);
    await strict.close();
  });

  test('of a deferred query has its parts', async () => {
    const response = await send('{ person(id: "p1") { name ... @defer { voices(first: 1) { label } } } }');
    const parts = (await response.text()).match(/(?<=data: ).+/g)?.map((json): unknown => JSON.parse(json));
    expect(parts?.[0]).toEqual({ data: { person: { name: 'Person p1' } }, hasNext: true });
    expect(parts?.at(-1)).toMatchObject({ hasNext: false });
  });

  test('ends with an error when the router goes away', async () => {
    const leaving = await startTestRouter(graph);
    const response = await send('subscription { changes { sequence } }', {}, leaving.url);
    await until(() => graph.openStreams() === 1);
    const text = response.text();
    await leaving.drain();
    expect(await text).toContain('"code":"SERVICE_UNAVAILABLE"');
    await leaving.close();
  });

  test('whose client takes nothing is cut', async () => {
    const strict = await startTestRouter(graph, { slowClient: { bytes: 1, ms: 200 } });
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { 'content-type': 'application/json', accept: SSE };
      // More than the buffers of the kernel take.
      const fields = Array.from({ length: 100 }, (_, i) => `v${i}: voice(id: $id) { label }`).join(' ');
      const query = `query ($id: ID!) { ${fields} person(id: "p1") { name ... @defer { voices(first: 1) { label } } } }`;
      const body = { query, variables: { id: 'x'.repeat(200_000) } };
      request(strict.url, { method: 'POST', headers }, resolve).on('error', reject).end(JSON.stringify(body));
    });
    // Nothing tells a client that does not read; its operation ends, and what it then reads breaks off.
    await until(async () => (await strict.metric('timbre_router_active_operations')) === 0);
    await new Promise((resolve) => {
      response.once('error', resolve).once('end', resolve).resume();
    });
    expect(response.complete).toBe(false);
    await strict.close();
  });
});
