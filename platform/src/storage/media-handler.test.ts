import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger } from '../logger.ts';
import { createFsStore } from './fs-store.ts';
import type { FsStore } from './fs-store.ts';
import { createMediaHandler } from './media-handler.ts';
import { createUrlSigner } from './url-signer.ts';

let root: string;
let store: FsStore;
let server: Server;
/** How far the handler's clock is ahead, ms. */
let ahead = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'timbre-media-'));
  const signer = createUrlSigner('a secret for the media of this test');
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  store = await createFsStore({ root, publicUrl: `http://127.0.0.1:${address.port}`, signer });
  const handler = createMediaHandler({
    store,
    signer,
    log: createLogger({ name: 'test', level: 'silent' }),
    now: () => Date.now() + ahead,
  });
  server.on('request', (req, res) => void handler(req, res));
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(root, { recursive: true });
});

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
let keys = 0;

async function uploadOf(body: Uint8Array, expiresInSeconds = 60) {
  keys += 1;
  const key = `usr_1/sample-${keys}`;
  const claim = { key, contentType: 'audio/wav', sizeBytes: body.length, sha256: sha256(body) };
  const target = await store.uploadTarget({ ...claim, expiresInSeconds });
  const headers = Object.fromEntries(target.headers.map(({ name, value }) => [name, value]));
  const put = (data: Uint8Array, url = target.url, init: RequestInit = {}) =>
    fetch(url, { method: 'PUT', headers, body: Buffer.from(data), ...init });
  return { ...claim, url: target.url, put };
}

async function leftovers(): Promise<string[]> {
  return readdir(join(root, '.tmp'));
}

const body = Buffer.from('the bytes of a recording');

test('an upload arrives; again it is 200; after it was accepted it is 409', async () => {
  const upload = await uploadOf(body);
  expect((await upload.put(body)).status).toBe(200);
  expect((await upload.put(body)).status).toBe(200);
  expect(await store.acceptUpload(upload.key, upload)).toBe('accepted');
  const refused = await upload.put(body);
  expect(refused.status).toBe(409);
  expect(await refused.json()).toMatchObject({ error: { code: 'CONFLICT' } });
  expect(await store.head(`incoming/${upload.key}`)).toBeNull();
});

test('every part of an upload URL is bound in its signature', async () => {
  const upload = await uploadOf(body);
  const other = await uploadOf(Buffer.from('other'));
  const altered = (change: (url: URL) => void) => {
    const url = new URL(upload.url);
    change(url);
    return url.href;
  };
  const tampered = {
    key: altered((url) => (url.pathname = new URL(other.url).pathname)),
    length: altered((url) => url.searchParams.set('length', '25000000')),
    hash: altered((url) => url.searchParams.set('sha256', sha256(Buffer.from('x')))),
    type: altered((url) => url.searchParams.set('type', 'text/html')),
    expiry: altered((url) => url.searchParams.set('expires', '9999999999')),
    signature: altered((url) => url.searchParams.set('signature', 'A'.repeat(43))),
    unsigned: altered((url) => url.searchParams.delete('signature')),
    traversal: altered((url) => (url.pathname = '/uploads/..%2f..%2fetc')),
    swapped: upload.url.replace('/uploads/', '/media/'),
  };
  for (const [what, url] of Object.entries(tampered)) {
    const response = await fetch(url, what === 'swapped' ? {} : { method: 'PUT', body });
    expect([what, response.status]).toEqual([what, 403]);
  }
  expect(await store.head(`incoming/${upload.key}`)).toBeNull();
});

test('the method is bound: an upload URL cannot be read, a download URL not written', async () => {
  const upload = await uploadOf(body);
  expect((await fetch(upload.url)).status).toBe(405);
  expect((await fetch(upload.url, { method: 'DELETE' })).status).toBe(405);
  const { url } = await store.downloadUrl({ key: upload.key, contentType: 'audio/wav', expiresInSeconds: 60 });
  expect((await fetch(url, { method: 'PUT', body })).status).toBe(405);
  expect((await fetch(url.replace('/media/', '/uploads/'), { method: 'PUT', body })).status).toBe(403);
});

test('an upload URL ends at its expiry', async () => {
  const upload = await uploadOf(body, 60);
  ahead = 61_000;
  const response = await upload.put(body);
  ahead = 0;
  expect(response.status).toBe(403);
  expect(await response.json()).toMatchObject({ error: { message: 'The URL has expired.' } });
});

test('other bytes, fewer bytes, more bytes and another type are refused and leave nothing', async () => {
  const upload = await uploadOf(body);
  const flipped = Buffer.from(body);
  flipped[0] = 0;
  expect((await upload.put(flipped)).status).toBe(400);
  expect((await upload.put(body.subarray(1))).status).toBe(400);
  expect((await upload.put(Buffer.concat([body, body]))).status).toBe(413);
  expect((await upload.put(body, upload.url, { headers: { 'content-type': 'text/html' } })).status).toBe(415);
  expect(await store.head(`incoming/${upload.key}`)).toBeNull();
  expect(await leftovers()).toEqual([]);
});

test('a chunked body is stopped at the first byte too many', async () => {
  const upload = await uploadOf(body);
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)),
  });
  const response = await fetch(upload.url, {
    method: 'PUT',
    headers: { 'content-type': 'audio/wav' },
    body: endless,
    duplex: 'half',
  });
  expect(response.status).toBe(413);
  expect(await store.head(`incoming/${upload.key}`)).toBeNull();
  expect(await leftovers()).toEqual([]);
});

test('a client that hangs up in the middle leaves nothing', async () => {
  const upload = await uploadOf(Buffer.alloc(1_000_000, 1));
  const req = request(upload.url, {
    method: 'PUT',
    headers: { 'content-type': 'audio/wav', 'content-length': 1_000_000 },
  });
  req.on('error', () => undefined);
  req.write(Buffer.alloc(500_000, 1));
  while ((await leftovers()).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  req.destroy();
  while ((await leftovers()).length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(await store.head(`incoming/${upload.key}`)).toBeNull();
});

test('a download: whole, in ranges, conditionally, by HEAD', async () => {
  await store.put('gen/1.mp3', Buffer.from('0123456789'), { contentType: 'audio/mpeg' });
  const { url } = await store.downloadUrl({
    key: 'gen/1.mp3',
    contentType: 'audio/mpeg',
    expiresInSeconds: 60,
    fileName: 'Größe.mp3',
  });
  const get = async (headers: Record<string, string>, method = 'GET') => {
    const response = await fetch(url, { headers, method });
    return { status: response.status, text: await response.text(), headers: response.headers };
  };

  const whole = await get({});
  expect(whole).toMatchObject({ status: 200, text: '0123456789' });
  expect(whole.headers.get('content-type')).toBe('audio/mpeg');
  expect(whole.headers.get('accept-ranges')).toBe('bytes');
  expect(whole.headers.get('access-control-allow-origin')).toBe('*');
  expect(whole.headers.get('content-disposition')).toBe(
    `attachment; filename="Gr__e.mp3"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.mp3`,
  );
  const etag = whole.headers.get('etag') ?? '';

  const part = await get({ range: 'bytes=2-4' });
  expect(part).toMatchObject({ status: 206, text: '234' });
  expect(part.headers.get('content-range')).toBe('bytes 2-4/10');
  expect(await get({ range: 'bytes=7-' })).toMatchObject({ status: 206, text: '789' });
  expect(await get({ range: 'bytes=-2' })).toMatchObject({ status: 206, text: '89' });
  expect(await get({ range: 'bytes=4-99' })).toMatchObject({ status: 206, text: '456789' });
  const outside = await get({ range: 'bytes=10-' });
  expect(outside.status).toBe(416);
  expect(outside.headers.get('content-range')).toBe('bytes */10');
  for (const ignored of ['bytes=5-2', 'bytes=0-1,3-4', 'chunks=0-1', 'bytes=-', 'bytes=a-b']) {
    expect(await get({ range: ignored })).toMatchObject({ status: 200, text: '0123456789' });
  }

  expect(await get({ 'if-none-match': `W/"x", ${etag}` })).toMatchObject({ status: 304, text: '' });
  expect(await get({ 'if-range': etag, range: 'bytes=0-0' })).toMatchObject({ status: 206, text: '0' });
  expect(await get({ 'if-range': '"old"', range: 'bytes=0-0' })).toMatchObject({ status: 200, text: '0123456789' });
  const head = await get({}, 'HEAD');
  expect(head).toMatchObject({ status: 200, text: '' });
  expect(head.headers.get('content-length')).toBe('10');
});

test('a download URL of another key, type, name or time is refused, and a missing object is 404', async () => {
  await store.put('gen/2.mp3', Buffer.from('x'), { contentType: 'audio/mpeg' });
  const { url } = await store.downloadUrl({ key: 'gen/2.mp3', contentType: 'audio/mpeg', expiresInSeconds: 60 });
  const altered = [
    url.replace('gen/2.mp3', 'gen/1.mp3'),
    url.replace('audio%2Fmpeg', 'text%2Fhtml'),
    url.replace(/expires=\d+/, 'expires=9999999999'),
    `${url}&name=evil.html`,
    url.replace(/signature=.*/, ''),
  ];
  for (const candidate of altered) expect([candidate, (await fetch(candidate)).status]).toEqual([candidate, 403]);
  ahead = 61_000;
  expect((await fetch(url)).status).toBe(403);
  ahead = 0;
  await store.delete(['gen/2.mp3']);
  expect((await fetch(url)).status).toBe(404);
});

test('any page may use a URL: CORS, also before the request and on refusals', async () => {
  const upload = await uploadOf(body);
  const preflight = await fetch(upload.url, { method: 'OPTIONS' });
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get('access-control-allow-methods')).toContain('PUT');
  const refused = await fetch(`${upload.url}x`, { method: 'PUT', body });
  expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([403, '*']);
});
