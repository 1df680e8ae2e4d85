import { createLogger } from '@timbre/platform/logger';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { collect, startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';

let graph: TestGraph;
let router: TestRouter;
let lines: string[] = [];
const log = createLogger({ name: 'router', level: 'warn', stream: { write: (line: string) => void lines.push(line) } });

beforeAll(async () => {
  graph = await startTestGraph();
  router = await startTestRouter(graph, { log, subgraphErrors: { all: false, subgraphs: { voices: true } } });
});

beforeEach(() => {
  lines = [];
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

const headers = { 'x-request-id': 'req-1' };
const REDACTED = {
  message: 'A subgraph reported an error. The request id is req-1.',
  extensions: { code: 'DOWNSTREAM_SERVICE_ERROR', requestId: 'req-1' },
};

describe('what a subgraph says of its errors', () => {
  test('is not told, but where and under which id it is to be found', async () => {
    const { data, errors, text } = await router.query('{ a: refuses b: refuses person(id: "p1") { name } }', {
      headers,
    });
    expect(data).toEqual({ a: null, b: null, person: { name: 'Person p1' } });
    expect(errors).toEqual([
      { ...REDACTED, path: ['a'] },
      { ...REDACTED, path: ['b'] },
    ]);
    expect(text).not.toMatch(/Somebody|a second|people|CONFLICT/);
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      requestId: 'req-1',
      subgraph: 'people',
      count: 2,
      errors: [{ message: 'Somebody was faster.', code: 'CONFLICT', path: ['a'] }, { path: ['b'] }],
    });
  });

  test('is told of one that may', async () => {
    const { errors } = await router.query('{ person(id: "p1") { unlucky } }', { headers });
    expect(errors).toMatchObject([
      { message: 'No luck.', path: ['person', 'unlucky'], extensions: { code: 'GONE', service: 'voices' } },
    ]);
    expect(lines).toEqual([]);
  });

  test('is told of all by default, without what is private', async () => {
    const open = await startTestRouter(graph, { log });
    const { errors } = await open.query('{ refuses }', { headers });
    expect(errors).toMatchObject([{ message: 'Somebody was faster.', extensions: { details: { by: 'a second' } } }]);
    await open.close();
  });

  test('is not told over a websocket, in a deferred part or in an event either', async () => {
    const closed = await startTestRouter(graph, { log, subgraphErrors: { all: false } });
    const client = closed.wsClient();
    const refused = await collect(client, { query: 'subscription { refusedTicks { sequence } }' });
    const deferred = await collect(client, { query: '{ person(id: "p1") { name ... @defer { unlucky } } }' });
    const event = await collect(client, { query: 'subscription { ticks(count: 1) { person { unlucky } } }' });
    for (const text of [refused, deferred, event].map((each) => JSON.stringify(each))) {
      expect(text).toContain('A subgraph reported an error');
      expect(text).not.toMatch(/No luck|No such ticks|GONE|NOT_FOUND/);
    }
    await closed.close();
  });
});

test("that a subgraph is away is the router's own to tell", async () => {
  await graph.people.stop();
  const { errors } = await router.query('{ refuses }', { headers });
  expect(errors).toMatchObject([{ extensions: { code: 'SUBGRAPH_UNAVAILABLE' } }]);
  await graph.people.start();
});
