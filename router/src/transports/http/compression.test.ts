import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestGraph } from '../../testing/test-graph.ts';
import type { TestGraph } from '../../testing/test-graph.ts';
import { startTestRouter } from '../../testing/test-router.ts';
import type { TestRouter } from '../../testing/test-router.ts';
import { negotiateEncoding } from './content-encoding.ts';

const MAX_BODY = 200_000;
let graph: TestGraph;
let router: TestRouter;

beforeAll(async () => {
  graph = await startTestGraph();
  router = await startTestRouter(graph, { compression: true, batching: { maximum: 10 }, maxBodyBytes: MAX_BODY });
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

interface Raw {
  status: number | undefined;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** By node:http: fetch would undo what is looked at. */
const send = (body: unknown, headers: Record<string, string | number> = {}, url = router.url): Promise<Raw> =>
  new Promise((resolve, reject) => {
    request(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers } }, (res) => {
      buffer(res).then((bytes) => resolve({ status: res.statusCode, headers: res.headers, body: bytes }), reject);
    })
      .on('error', reject)
      .end(Buffer.isBuffer(body) ? body : JSON.stringify(body));
  });
const people = (first: number) => ({ query: `{ people(first: ${first}) { id name } }` });
const textOf = ({ headers, body }: Raw) => {
  if (headers['content-encoding'] === 'br') return brotliDecompressSync(body).toString();
  return headers['content-encoding'] === 'gzip' ? gunzipSync(body).toString() : body.toString();
};

describe('an answer', () => {
  test.each([
    ['gzip, deflate, br, zstd', 'br'],
    ['gzip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['GZIP;q=1.0, br;q=0.5', 'gzip'],
    ['br;q=0, gzip;q=0.1', 'gzip'],
    ['*', 'br'],
    ['*;q=0.5, br;q=0', 'gzip'],
    ['identity', null],
    ['identity;q=1, gzip;q=0.5', null],
    ['identity;q=0.5, gzip;q=1', 'gzip'],
    ['identity;q=0, br;q=0', null],
    ['br;q=0', null],
    ['br;q=nonsense', null],
    ['br;q=-1, gzip;q=2', null],
    ['deflate, zstd', null],
    ['*;q=0', null],
    ['', null],
    [',,;;q=,', null],
  ])('to whoever takes "%s" is %s', (accept, expected) => {
    expect(negotiateEncoding(accept)).toBe(expected);
  });

  test.each([
    [40, 'br'],
    [40, 'gzip'],
    [1_000, 'br'],
    [1_000, 'gzip'],
  ])('of %i people is the same as %s', async (count, encoding) => {
    const plain = await send(people(count));
    const compressed = await send(people(count), { 'accept-encoding': encoding });
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(compressed.headers['content-encoding']).toBe(encoding);
    expect(compressed.headers['content-length']).toBe(String(compressed.body.length));
    expect(compressed.body.length).toBeLessThan(plain.body.length / 4);
    expect(textOf(compressed)).toBe(plain.body.toString());
    for (const { headers } of [plain, compressed]) expect(headers['vary']).toBe('accept, accept-encoding');
  });

  test('that is small goes out as it is, and says that it might not have', async () => {
    const { headers } = await send(people(1), { 'accept-encoding': 'br' });
    expect(headers['content-encoding']).toBeUndefined();
    expect(headers['vary']).toContain('accept-encoding');
  });

  test('of a batch and one with errors are compressed too', async () => {
    const batch = await send([people(20), people(20)], { 'accept-encoding': 'gzip' });
    expect(batch.headers['content-encoding']).toBe('gzip');
    const refused = await send(
      { query: `{ ${'nothing '.repeat(50)} ${'a'.repeat(2000)} }` },
      { 'accept-encoding': 'br' },
    );
    expect(refused.headers['content-encoding']).toBe('br');
    expect(textOf(refused)).toContain('GRAPHQL_VALIDATION_FAILED');
  });

  test('that is a stream is not: each part goes out when it is there', async () => {
    const { headers } = await send(people(1_000), { accept: 'text/event-stream', 'accept-encoding': 'br' });
    expect(headers['content-encoding']).toBeUndefined();
    expect(headers['cache-control']).toContain('no-transform');
  });

  test('goes out as it is where compression is off', async () => {
    const plain = await startTestRouter(graph);
    const { headers } = await send(people(100), { 'accept-encoding': 'br' }, plain.url);
    expect(headers['content-encoding']).toBeUndefined();
    expect(headers['vary']).toBe('accept');
    await plain.close();
  });

  test('whose client leaves while it is compressed harms nobody', async () => {
    for (let i = 0; i < 20; i += 1) {
      await new Promise<void>((resolve) => {
        const headers = { 'content-type': 'application/json', 'accept-encoding': 'br' };
        const leaving = request(router.url, { method: 'POST', headers });
        leaving.on('error', () => undefined).on('close', () => resolve());
        leaving.end(JSON.stringify(people(1_000)), () => setTimeout(() => leaving.destroy(), i));
      });
    }
    expect((await send(people(1))).status).toBe(200);
  });
});

describe('a request', () => {
  const body = (bytes: number) =>
    Buffer.from(JSON.stringify({ query: '{ person(id: "p1") { name } }', variables: { unused: 'x'.repeat(bytes) } }));
  const codeOf = ({ body: bytes }: Raw) => /"code":"(?<code>\w+)"/.exec(bytes.toString())?.groups?.['code'];

  test.each([
    ['gzip', gzipSync(body(100_000))],
    ['x-gzip', gzipSync(body(10))],
    ['br', brotliCompressSync(body(100_000))],
    ['identity', body(10)],
  ])('may be encoded as %s', async (encoding, bytes) => {
    const answer = await send(bytes, { 'content-encoding': encoding });
    expect(answer.body.toString()).toContain('Person p1');
  });

  test.each([
    ['gzip', gzipSync(Buffer.alloc(50_000_000, ' '))],
    ['br', brotliCompressSync(Buffer.alloc(50_000_000, ' '))],
  ])('that is a bomb of %s is refused with the limit', async (encoding, bytes) => {
    expect(bytes.length).toBeLessThan(MAX_BODY);
    const before = process.memoryUsage.rss();
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(bytes, { 'content-encoding': encoding })));
    for (const answer of answers) {
      expect([answer.status, codeOf(answer)]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
      expect(answer.body.toString()).toContain(`"maximum":${MAX_BODY}`);
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(200_000_000);
  });

  test.each([
    ['gzip', body(10)],
    ['br', body(10)],
    ['gzip', gzipSync(body(1_000)).subarray(0, 50)],
    ['gzip', Buffer.alloc(0)],
  ])('that is not the %s that it says is refused', async (encoding, bytes) => {
    const answer = await send(bytes, { 'content-encoding': encoding });
    expect([answer.status, codeOf(answer)]).toEqual([400, 'BAD_REQUEST']);
  });

  test.each(['deflate', 'gzip, gzip', 'gzip, br', 'zstd', ''])(
    'encoded as "%s" is told what can be read',
    async (encoding) => {
      const answer = await send(body(10), { 'content-encoding': encoding });
      expect([answer.status, codeOf(answer)]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
      expect(answer.headers['accept-encoding']).toBe('gzip, br');
    },
  );
});
