import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { listen } from '../testing/listen.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { codesOf, startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';

let graph: TestGraph;
let router: TestRouter;

beforeAll(async () => {
  graph = await startTestGraph();
  router = await startTestRouter(graph);
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

test('entities of one subgraph are completed by another', async () => {
  const answer = await router.query(
    'query ($n: Int!) { people(first: $n) { name voices(first: 1) { label owner { name } } } }',
    { variables: { n: 2 } },
  );
  expect(answer.errors).toEqual([]);
  expect(answer.data).toEqual({
    people: ['p0', 'p1'].map((id) => ({
      name: `Person ${id}`,
      voices: [{ label: `Voice 0 of ${id}`, owner: { name: `Person ${id}` } }],
    })),
  });
});

describe('errors of subgraphs', () => {
  test('keep their code, their details and their place', async () => {
    const answer = await router.query('{ refuses who { userId } people(first: 3) { unlucky } }');
    expect(answer.data).toEqual({
      refuses: null,
      who: { userId: null },
      people: [{ unlucky: 'luck of p0' }, { unlucky: null }, { unlucky: 'luck of p2' }],
    });
    expect(answer.errors).toMatchObject([
      {
        message: 'Somebody was faster.',
        path: ['refuses'],
        extensions: { code: 'CONFLICT', details: { by: 'a second' }, service: 'people' },
      },
      { message: 'No luck.', path: ['people', 1, 'unlucky'], extensions: { code: 'GONE', service: 'voices' } },
    ]);
  });

  test('that were masked stay masked, with the request id', async () => {
    const answer = await router.query('{ fails }', { headers: { 'x-request-id': 'req-1' } });
    expect(answer.errors).toMatchObject([
      { path: ['fails'], extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: 'req-1' } },
    ]);
    expect(answer.text).not.toMatch(/relation|stack|node_modules/);
  });
});

describe('a subgraph that is down', () => {
  test('nulls its own fields and nothing else, each with an error in its place', async () => {
    const down = await startTestRouter({
      supergraph: graph.supergraph,
      subgraphUrl: (name) => (name === 'voices' ? 'http://127.0.0.1:9/graphql' : graph.subgraphUrl(name)),
    });
    const answer = await down.query(
      '{ voice(id: "v") { id } person(id: "p1") { name mine: voices { id } } people(first: 2) { name favourite { id } } }',
    );
    expect(answer.status).toBe(200);
    expect(answer.data).toEqual({
      voice: null,
      person: { name: 'Person p1', mine: null },
      people: [
        { name: 'Person p0', favourite: null },
        { name: 'Person p1', favourite: null },
      ],
    });
    expect(answer.errors.map(({ path }) => path?.join('.')).toSorted((a = '', b = '') => a.localeCompare(b))).toEqual([
      'people.0.favourite',
      'people.1.favourite',
      'person.mine',
      'voice',
    ]);
    expect(new Set(codesOf(answer))).toEqual(new Set(['SUBGRAPH_UNAVAILABLE']));
    expect(answer.text).not.toContain('127.0.0.1');
    await down.close();
  });
});

describe('a subgraph that answers something else', () => {
  const answers: [string, (res: ServerResponse) => void, string][] = [
    ['HTML', (res) => res.writeHead(502, { 'content-type': 'text/html' }).end('<html>secret'), 'SUBGRAPH_UNAVAILABLE'],
    ['truncated JSON', (res) => res.end('{"data":{"voice"'), 'SUBGRAPH_UNAVAILABLE'],
    ['JSON that is no response', (res) => res.end('[1]'), 'SUBGRAPH_UNAVAILABLE'],
    ['no data', (res) => res.end('{}'), 'SUBGRAPH_UNAVAILABLE'],
    ['too much', (res) => res.end(`{"data":{"voice":{"id":"${'x'.repeat(200_000)}"}}}`), 'SUBGRAPH_UNAVAILABLE'],
    ['a reset', (res) => res.socket?.destroy(), 'SUBGRAPH_UNAVAILABLE'],
    [
      'half an answer, then a reset',
      (res) => res.write('{"data":', () => res.socket?.destroy()),
      'SUBGRAPH_UNAVAILABLE',
    ],
    ['nothing', () => undefined, 'TIMEOUT'],
    ['a first byte and nothing more', (res) => void res.write('{'), 'TIMEOUT'],
  ];

  test.each(answers)('%s', async (_name, answerWith, code) => {
    const server = createServer((req, res) => req.resume().on('end', () => answerWith(res)));
    const url = `${await listen(server)}/graphql`;
    const odd = await startTestRouter(
      { supergraph: graph.supergraph, subgraphUrl: (name) => (name === 'voices' ? url : graph.subgraphUrl(name)) },
      { http: { timeoutMs: 400, maxResponseBytes: 100_000 } },
    );
    const answer = await odd.query('{ voice(id: "v") { id } who { userId } }');
    expect(codesOf(answer)).toEqual([code]);
    expect(answer.text).not.toMatch(/secret|stack| {4}at /);
    expect(answer.data).toEqual({ voice: null, who: { userId: null } });
    expect(answer.errors[0]?.path).toEqual(['voice']);
    await odd.close();
    server.closeAllConnections();
    server.close();
  });
});
