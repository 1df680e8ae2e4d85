import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as tick } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFsStore } from './fs-store.ts';
import type { FsStore } from './fs-store.ts';
import { createUrlSigner } from './url-signer.ts';

let home: string;
let root: string;
let store: FsStore;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'timbre-store-'));
  // Deep below what the test owns: were the guards broken, the keys that try to get out would still hit nobody else.
  root = join(home, 'a', 'b', 'c', 'store');
  store = await createFsStore({ root, publicUrl: 'http://media.test', signer: createUrlSigner('s'.repeat(32)) });
});
afterEach(async () => {
  await rm(home, { recursive: true });
});

const bytes = (text: string) => new TextEncoder().encode(text);
const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

/** Every file below the store, but for the directories. */
async function files(): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

async function collect(parts: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all).toString('utf8');
}

test('an object comes back whole, in part, and described', async () => {
  const body = bytes('0123456789');
  const stored = await store.put('voices/usr_1/a.wav', body, { contentType: 'audio/wav' });
  expect(stored).toEqual({ sizeBytes: 10, sha256: sha256(body) });
  expect(await store.get('voices/usr_1/a.wav')).toEqual(Buffer.from(body));
  expect(await collect(store.stream('voices/usr_1/a.wav', { start: 3, end: 5 }))).toBe('345');
  expect(await collect(store.stream('voices/usr_1/a.wav', { start: 8, end: 99 }))).toBe('89');
  expect(await store.head('voices/usr_1/a.wav')).toEqual({ ...stored, contentType: 'audio/wav' });
});

test('an empty object is an object', async () => {
  await store.put('e', new Uint8Array(), { contentType: 'text/plain' });
  expect(await store.head('e')).toMatchObject({ sizeBytes: 0 });
  expect(await collect(store.stream('e'))).toBe('');
});

test('a large object passes through in parts, written before the next is asked for', async () => {
  const part = Buffer.alloc(1024 * 1024, 7);
  const onDisk: number[] = [];
  async function* parts() {
    for (let i = 0; i < 4; i += 1) {
      yield part;
      const [temporary = ''] = await readdir(join(root, '.tmp'));
      onDisk.push((await stat(join(root, '.tmp', temporary))).size);
    }
  }
  await store.put('big', parts(), { contentType: 'application/octet-stream' });
  expect(onDisk).toEqual([1, 2, 3, 4].map((count) => count * part.length));
  const sizes: number[] = [];
  for await (const read of store.stream('big')) sizes.push(read.length);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(256 * 1024);
  expect(sizes.reduce((sum, size) => sum + size)).toBe(4 * part.length);
});

test('a write replaces at once, and one that fails leaves nothing', async () => {
  await store.put('k', bytes('old'), { contentType: 'text/plain' });
  async function* broken() {
    yield bytes('new');
    throw new Error('source broke');
  }
  await expect(store.put('k', broken(), { contentType: 'text/plain' })).rejects.toThrow('source broke');
  expect(await collect(store.stream('k'))).toBe('old');
  await store.put('k', bytes('new'), { contentType: 'text/plain' });
  expect(await collect(store.stream('k'))).toBe('new');
  expect(await files()).toEqual(['k~']);
});

test('what is not there is null, or NOT_FOUND, and deleting it is no error', async () => {
  expect(await store.head('none')).toBeNull();
  await expect(store.get('none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await store.put('a', bytes('x'), { contentType: 'text/plain' });
  expect(await store.head('a/b')).toBeNull();
  await store.delete(['none', 'a']);
  expect(await files()).toEqual([]);
});

test('a key can be the beginning of another', async () => {
  await store.put('a/b', bytes('1'), { contentType: 'text/plain' });
  await store.put('a', bytes('2'), { contentType: 'text/plain' });
  expect(await collect(store.stream('a/b'))).toBe('1');
  expect(await collect(store.stream('a'))).toBe('2');
});

test('deleting below a prefix takes whole segments, and uploads that were never accepted', async () => {
  for (const key of ['v/1/a', 'v/1/b/c', 'v/12/a', 'incoming/v/1/d']) {
    await store.put(key, bytes('x'), { contentType: 'text/plain' });
  }
  await store.deletePrefix('v/1/');
  await expect(store.deletePrefix('v/1')).rejects.toThrow(RangeError);
  await expect(store.deletePrefix('../')).rejects.toThrow(RangeError);
  await store.deletePrefix('v/unknown/');
  expect(await files()).toEqual(['a~']);
  expect(await store.head('v/12/a')).not.toBeNull();
});

test('of many callers that accept an upload at once none finds it missing', async () => {
  const data = bytes('a recording');
  const expected = { sizeBytes: data.length, sha256: sha256(data) };
  for (let upload = 0; upload < 40; upload += 1) {
    const key = `s/${upload}`;
    await store.put(`incoming/${key}`, data, { contentType: 'audio/wav' });
    const results = await Promise.all(
      Array.from({ length: 16 }, async (_, turns) => {
        for (let turn = 0; turn < turns; turn += 1) await tick();
        return store.acceptUpload(key, expected);
      }),
    );
    expect(new Set(results)).toEqual(new Set(['accepted']));
  }
});

test.each([
  '../x',
  'a/../../x',
  '/etc/passwd',
  'a//b',
  '',
  '.tmp/x',
  'a/.b',
  'a\0b',
  'a b',
  'a~',
  'a\\..\\b',
  `${'a/'.repeat(300)}b`,
])('no key leads out of the store: %j', async (key) => {
  await expect(store.put(key, bytes('x'), { contentType: 'text/plain' })).rejects.toThrow(RangeError);
  await expect(store.get(key)).rejects.toThrow(RangeError);
  await expect(store.head(key)).rejects.toThrow(RangeError);
  await expect(store.delete([key])).rejects.toThrow(RangeError);
  expect(await files()).toEqual([]);
});

test('an upload is accepted once its size and hash are right, as often as asked', async () => {
  const body = bytes('recording');
  const expected = { sizeBytes: body.length, sha256: sha256(body) };
  expect(await store.acceptUpload('s/1', expected)).toBe('missing');
  await store.put('incoming/s/1', body, { contentType: 'audio/wav' });
  expect(await store.acceptUpload('s/1', { ...expected, sizeBytes: 8 })).toBe('mismatch');
  expect(await store.acceptUpload('s/1', { ...expected, sha256: sha256(bytes('other')) })).toBe('mismatch');
  const results = await Promise.all([store.acceptUpload('s/1', expected), store.acceptUpload('s/1', expected)]);
  expect(results).toEqual(['accepted', 'accepted']);
  expect(await store.acceptUpload('s/1', expected)).toBe('accepted');
  expect(await store.head('incoming/s/1')).toBeNull();
  expect(await store.head('s/1')).toMatchObject(expected);
});

test('a file that the store did not write is not taken for an object', async () => {
  await writeFile(join(root, 'foreign~'), 'hello');
  await expect(store.get('foreign')).rejects.toThrow('Not an object of this store');
});
