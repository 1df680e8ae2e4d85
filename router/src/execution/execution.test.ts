import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { brotliCompressSync, gzipSync } from 'node:zlib';
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

const VOICE = '{"data":{"voice":{"id":"secret"}}}';

/** One byte at a time, so that no wait for the next is long. */
function drip(res: ServerResponse): void {
  const next = setInterval(() => res.write(' '), 20);
  res.once('close', () => clearInterval(next));
}

/** 100 MB, as fast as they are read. */
function flood(target: Writable, head = ''): void {
  const line = Buffer.from(`x-more: ${'x'.repeat(9_990)}\r\n`);
  const lines = Readable.from([Buffer.from(head), ...Array.from({ length: 10_000 }, () => line)]);
  // It is cut off: that is what happens here.
  pipeline(lines, target).catch(() => undefined);
}

const BOMB = VOICE + ' '.repeat(1_000_000);
const GZIP_BOMB = gzipSync(BOMB);
const BROTLI_BOMB = brotliCompressSync(BOMB);

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
    ['a byte now and then', drip, 'TIMEOUT'],
    ['100 MB', (res) => flood(res), 'SUBGRAPH_UNAVAILABLE'],
    [
      '100 MB announced',
      (res) => void res.writeHead(200, { 'content-length': 100_000_000 }).write('{'),
      'SUBGRAPH_UNAVAILABLE',
    ],
    [
      'less than announced',
      (res) => res.writeHead(200, { 'content-length': 100 }).write('{"data":{}}', () => res.socket?.end()),
      'SUBGRAPH_UNAVAILABLE',
    ],
    [
      'chunks that are none',
      (res) => res.socket?.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{"data"'),
      'SUBGRAPH_UNAVAILABLE',
    ],
    ['no HTTP', (res) => res.socket?.end('SSH-2.0-secret\r\n'), 'SUBGRAPH_UNAVAILABLE'],
    ['endless headers', (res) => flood(res.socket ?? res, 'HTTP/1.1 200 OK\r\n'), 'SUBGRAPH_UNAVAILABLE'],
    [
      'JSON that says it is HTML',
      (res) => res.setHeader('content-type', 'text/html').end(VOICE),
      'SUBGRAPH_UNAVAILABLE',
    ],
    [
      'text that is not UTF-8',
      (res) => res.end(Buffer.from('{"data":{"voice":{"id":"\u00e9"}}}', 'latin1')),
      'SUBGRAPH_UNAVAILABLE',
    ],
    ['a gzip bomb', (res) => res.setHeader('content-encoding', 'gzip').end(GZIP_BOMB), 'SUBGRAPH_UNAVAILABLE'],
    ['a Brotli bomb', (res) => res.setHeader('content-encoding', 'br').end(BROTLI_BOMB), 'SUBGRAPH_UNAVAILABLE'],
    [
      'half a gzip',
      (res) => res.setHeader('content-encoding', 'gzip').end(gzipSync(VOICE).subarray(0, 30)),
      'SUBGRAPH_UNAVAILABLE',
    ],
    [
      'an encoding nobody asked for',
      (res) => res.setHeader('content-encoding', 'zstd').end(VOICE),
      'SUBGRAPH_UNAVAILABLE',
    ],
    ['data that is a list', (res) => res.end('{"data":[]}'), 'SUBGRAPH_UNAVAILABLE'],
    ['errors that are none', (res) => res.end('{"data":null,"errors":[{"text":"secret"}]}'), 'SUBGRAPH_UNAVAILABLE'],
    ['a redirect', (res) => res.writeHead(302, { location: '/secret' }).end(), 'SUBGRAPH_UNAVAILABLE'],
    ['no content', (res) => res.writeHead(204).end(), 'SUBGRAPH_UNAVAILABLE'],
  ];

  test.each(answers)('%s', async (_name, answerWith, code) => {
    const server = createServer((req, res) => req.resume().on('end', () => answerWith(res)));
    const url = `${await listen(server)}/graphql`;
    const odd = await startTestRouter(
      { supergraph: graph.supergraph, subgraphUrl: (name) => (name === 'voices' ? url : graph.subgraphUrl(name)) },
      { http: { timeoutMs: code === 'TIMEOUT' ? 1_000 : 30_000, maxResponseBytes: 100_000 } },
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
