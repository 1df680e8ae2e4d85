import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@timbre/platform/logger';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listen } from '../testing/listen.ts';
import { textSource } from './text-source.ts';
import type { TextSource } from './text-source.ts';
import { watchSource } from './watch-source.ts';
import type { SourceWatch } from './watch-source.ts';

const log = createLogger({ name: 'test', level: 'silent' });
let watching: SourceWatch | null = null;
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'timbre-watch-'));
});
afterEach(async () => {
  watching?.close();
  await rm(directory, { recursive: true });
});

/** What a watch tells, one after the other. */
function changesOf(source: TextSource, pollMs?: number): () => Promise<string> {
  const told: string[] = [];
  let wake: (() => void) | undefined;
  watching = watchSource(source, {
    log,
    ...(pollMs === undefined ? {} : { pollMs }),
    onChange: async (sdl) => {
      told.push(sdl);
      wake?.();
    },
  });
  return async () => {
    while (told.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return told.shift() ?? '';
  };
}

describe('a file', () => {
  test('is read again when it is written, and when another takes its place', async () => {
    const file = join(directory, 'supergraph.graphql');
    await writeFile(file, 'one');
    const source = textSource(file);
    expect(await source.read()).toBe('one');
    const next = changesOf(source);
    await writeFile(file, 'two');
    expect(await next()).toBe('two');
    for (const text of ['three', 'four']) {
      await writeFile(join(directory, 'new'), text);
      await rename(join(directory, 'new'), file);
      expect(await next()).toBe(text);
    }
  });

  test('that changed before anybody watched is noticed', async () => {
    const file = join(directory, 'supergraph.graphql');
    await writeFile(file, 'one');
    const source = textSource(file);
    await source.read();
    await writeFile(file, 'two');
    expect(await changesOf(source)()).toBe('two');
  });

  test('of a ConfigMap is read again when its links are swapped', async () => {
    const mount = join(directory, 'mount');
    const version = async (name: string, text: string) => {
      await mkdir(join(mount, name), { recursive: true });
      await writeFile(join(mount, name, 'supergraph.graphql'), text);
      await symlink(name, join(mount, '..data_tmp'));
      await rename(join(mount, '..data_tmp'), join(mount, '..data'));
    };
    await version('..1', 'one');
    await symlink('..data/supergraph.graphql', join(mount, 'supergraph.graphql'));
    // As a pod may see it: by a link of its own to the mount.
    await symlink(mount, join(directory, 'link'));
    const source = textSource(join(directory, 'link', 'supergraph.graphql'));
    expect(await source.read()).toBe('one');
    const next = changesOf(source);
    await version('..2', 'two');
    expect(await next()).toBe('two');
    await rm(join(mount, '..1'), { recursive: true });
    await version('..3', 'three');
    expect(await next()).toBe('three');
  });

  test('that is gone for a while is read when it is back', async () => {
    const file = join(directory, 'supergraph.graphql');
    await writeFile(file, 'one');
    const source = textSource(file);
    await source.read();
    const next = changesOf(source);
    await rm(file);
    await writeFile(file, 'two');
    expect(await next()).toBe('two');
  });
});

describe('a URL', () => {
  let server: Server;
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });
  const serve = async (handler: RequestListener) => {
    server = createServer(handler);
    return listen(server);
  };

  test('is asked for by its ETag; what is no answer changes nothing', async () => {
    const answers: [number, string | undefined, string][] = [
      [200, '"1"', 'one'],
      [304, undefined, ''],
      [500, undefined, 'broken'],
      [200, '"2"', 'one'],
      [404, undefined, 'gone'],
      [200, '"3"', 'two'],
    ];
    const asked: (string | undefined)[] = [];
    const url = await serve((req, res) => {
      asked.push(req.headers['if-none-match']);
      const [status, etag, body] = answers[asked.length - 1] ?? [304, undefined, ''];
      res.writeHead(status, etag === undefined ? {} : { etag }).end(body);
    });
    const source = textSource(`${url}/supergraph`);
    expect(await source.read()).toBe('one');
    expect(await changesOf(source, 10)()).toBe('two');
    expect(asked.slice(0, 6)).toEqual([undefined, '"1"', '"1"', '"1"', '"2"', '"2"']);
  });

  test.each<[string, RequestListener, RegExp]>([
    ['an error', (_req, res) => res.writeHead(503).end(), /503/],
    ['304 without having been asked for it', (_req, res) => res.writeHead(304).end(), /304/],
    ['more than fits', (_req, res) => res.end('x'.repeat(2_000)), /longer than 1000 bytes/],
    ['bytes that are no text', (_req, res) => res.end(Buffer.from([0xff, 0xfe, 0x00])), /./],
    ['nothing', (req) => void req.resume(), /./],
    ['half of it', (_req, res) => void res.writeHead(200, { 'content-length': 100 }).write('type'), /./],
    ['a reset', (req) => void req.socket.destroy(), /./],
  ])('that answers with %s is an error', async (_name, handler, message) => {
    const url = await serve(handler);
    await expect(textSource(url, { timeoutMs: 300, maxBytes: 1_000 }).read()).rejects.toThrow(message);
  });

  test('that never ends is left alone after so many bytes', async () => {
    const closed = Promise.withResolvers<void>();
    const url = await serve((_req, res) => {
      const more = () => void res.write('x'.repeat(500), () => setImmediate(more));
      res.once('close', () => closed.resolve());
      more();
    });
    await expect(textSource(url, { maxBytes: 10_000 }).read()).rejects.toThrow('longer than 10000');
    await closed.promise;
  });
});

test('a password in the URL is not told to anybody', async () => {
  const source = textSource('http://somebody:hunter2@127.0.0.1:9/supergraph?key=hunter3');
  const error = await source.read().catch((failure: unknown) => failure);
  expect(`${source.name} ${String(error)}`).toMatch(/^http:\/\/127\.0\.0\.1:9\/supergraph Error: /);
  expect(String(error)).not.toContain('hunter');
});
