import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, inject, test } from 'vitest';
import { createLogger } from '../logger.ts';
import { MAX_MESSAGE_BYTES } from './bus.ts';
import type { Bus } from './bus.ts';
import { hints } from './hints.ts';
import { createPostgresBus } from './postgres-bus.ts';

const log = createLogger({ name: 'test', level: 'silent' });
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

function newBus(url = inject('postgresUrl')): Bus {
  const bus = createPostgresBus({ url, log });
  open.push(bus);
  return bus;
}

/** A PostgreSQL that can be cut off and come back. */
async function relay() {
  const target = new URL(inject('postgresUrl'));
  const sockets = new Set<Socket>();
  let down = false;
  const server = createServer((client) => {
    if (down) {
      client.destroy();
      return;
    }
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const url = new URL(target);
  url.hostname = '127.0.0.1';
  url.port = String(address.port);
  const set = (value: boolean) => {
    down = value;
    if (down) for (const socket of sockets) socket.destroy();
  };
  const result = {
    url: url.href,
    cut: () => set(true),
    restore: () => set(false),
    async close() {
      set(true);
      server.close();
    },
  };
  open.push(result);
  return result;
}

test('a message reaches every subscriber of its channel in every process, and nobody else', async () => {
  const [a, b] = [newBus(), newBus()];
  const seen: string[] = [];
  const done = Promise.withResolvers<void>();
  const note = (who: string) => (payload: string) => {
    seen.push(`${who}:${payload}`);
    if (seen.length === 3) done.resolve();
  };
  await a.subscribe('voice:1', note('a1'));
  await a.subscribe('voice:1', note('a2'));
  await b.subscribe('voice:1', note('b1'));
  await b.subscribe('voice:2', note('b2'));
  await b.publish('voice:1', 'hello\nüber');
  await done.promise;
  expect(seen.toSorted()).toEqual(['a1:hello\nüber', 'a2:hello\nüber', 'b1:hello\nüber']);
});

test('nothing arrives after unsubscribing', async () => {
  const bus = newBus();
  const seen: string[] = [];
  const unsubscribe = await bus.subscribe('c:1', (payload) => void seen.push(payload));
  await unsubscribe();
  const marker = Promise.withResolvers<string>();
  await bus.subscribe('c:1', marker.resolve);
  await bus.publish('c:1', 'late');
  expect(await marker.promise).toBe('late');
  expect(seen).toEqual([]);
});

test('a message that NOTIFY would refuse is refused before, with the limit', async () => {
  const bus = newBus();
  const room = MAX_MESSAGE_BYTES - 'c:2\n'.length;
  await bus.publish('c:2', 'x'.repeat(room));
  await expect(bus.publish('c:2', 'x'.repeat(room + 1))).rejects.toThrow('at most 7900 bytes');
  await expect(bus.publish('c:2', 'ü'.repeat(room / 2 + 1))).rejects.toThrow('at most 7900 bytes');
  await expect(bus.publish('c:2\nc:3', 'x')).rejects.toThrow('one line');
});

test('a message that cannot be sent is lost without an error, and the next one arrives', async () => {
  const server = await relay();
  const bus = newBus(server.url);
  const seen: string[] = [];
  const marker = Promise.withResolvers<void>();
  await newBus().subscribe('c:9', (payload) => {
    seen.push(payload);
    if (payload === '3') marker.resolve();
  });
  await bus.publish('c:9', '1');
  server.cut();
  await bus.publish('c:9', '2');
  server.restore();
  await bus.publish('c:9', '3');
  await marker.promise;
  expect(seen).toEqual(['1', '3']);
});

test('one subscriber that throws keeps nothing from the next', async () => {
  const bus = newBus();
  const marker = Promise.withResolvers<string>();
  await bus.subscribe('c:4', () => {
    throw new Error('faulty');
  });
  await bus.subscribe('c:4', marker.resolve);
  await bus.publish('c:4', 'on');
  expect(await marker.promise).toBe('on');
});

test('after a lost connection it listens again and says so', async () => {
  const server = await relay();
  const bus = newBus(server.url);
  const reconnected = Promise.withResolvers<void>();
  const marker = Promise.withResolvers<string>();
  await bus.subscribe('c:5', marker.resolve, reconnected.resolve);
  server.cut();
  await delay(300);
  server.restore();
  await reconnected.promise;
  await newBus().publish('c:5', 'again');
  expect(await marker.promise).toBe('again');
});

test('hints: at once, for each message, once for many, and again after a reconnect', async () => {
  const server = await relay();
  const bus = newBus(server.url);
  const direct = newBus();
  const controller = new AbortController();
  const iterator = hints(bus, 'c:6', { signal: controller.signal, everyMs: 60_000 });
  expect(await iterator.next()).toEqual({ done: false, value: undefined });

  await direct.publish('c:6', '1');
  expect((await iterator.next()).done).toBe(false);

  const next = iterator.next();
  server.cut();
  server.restore();
  expect((await next).done).toBe(false);

  const last = iterator.next();
  controller.abort();
  expect((await last).done).toBe(true);
});

test('hints: a lost message is noticed when the timer fires', async () => {
  const controller = new AbortController();
  const iterator = hints(newBus(), 'c:7', { signal: controller.signal, everyMs: 30 });
  await iterator.next();
  const before = performance.now();
  await iterator.next();
  expect(performance.now() - before).toBeGreaterThan(20);
  controller.abort();
  expect((await iterator.next()).done).toBe(true);
});

test('hints: nothing that is published after the first signal is missed', async () => {
  const bus = newBus();
  const other = newBus();
  const controller = new AbortController();
  let stored = 0;
  let read = 0;
  const reader = (async () => {
    for await (const _ of hints(bus, 'c:8', { signal: controller.signal, everyMs: 60_000 })) {
      if (read === 0 && stored === 0) {
        stored += 1;
        await other.publish('c:8', '');
        continue;
      }
      read = stored;
      if (read === 20) return;
      stored += 1;
      void other.publish('c:8', '');
    }
  })();
  await reader;
  expect(read).toBe(20);
});
