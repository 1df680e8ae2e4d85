import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDb } from '@timbre/db/client';
import { startEmbeddedPostgres } from '@timbre/db/embedded/start';
import { migrate } from '@timbre/db/migrate';
import { freePort } from '@timbre/platform/testing/free-port';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { balance, charge, commits } from './testing/ledger.ts';
import { allEvents, events, order, read, type TestEvent } from './testing/operations.ts';
import { startTestTts, type Person, type TestTts } from './testing/test-tts.ts';
import { sentences } from './testing/texts.ts';

// Real processes die and come back here, and a dead worker's job is given to another one after up to 13 s.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

const CHUNKS = 20;
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** A text of twenty chunks, ordered by somebody new. */
async function begin(tts: TestTts, about: string) {
  const person = tts.person();
  const text = sentences(CHUNKS, about);
  const id = await order(person, { voiceId: await tts.voice(person.id), text, format: 'MP3_22050_64' });
  return { person, id, price: Math.ceil(text.length / 2) };
}

/** Follows a generation to its end, coming back by sequence whenever the stream breaks; `at` hears of each chunk. */
async function follow(person: Person, id: string, at: (chunk: number) => Promise<void> | void): Promise<TestEvent[]> {
  const seen: TestEvent[] = [];
  while (seen.at(-1)?.__typename !== 'GenerationFinished') {
    try {
      for await (const event of events(person, id, seen.at(-1)?.sequence ?? 0)) {
        seen.push(event);
        if (event.__typename === 'GenerationChunkReady') await at(event.chunk.index);
      }
    } catch {
      await sleep(200);
    }
  }
  return seen;
}

/** Nothing missed, nothing twice, everything spoken, charged once. */
async function expectWhole(tts: TestTts, person: Person, id: string, price: number, seen: readonly TestEvent[]) {
  expect(seen.map(({ sequence }) => sequence)).toEqual(seen.map((_, i) => i + 1));
  const ready = seen.flatMap((event) => (event.__typename === 'GenerationChunkReady' ? [event.chunk.index] : []));
  expect(ready).toEqual(Array.from({ length: CHUNKS }, (_, i) => i));
  expect(seen.filter(({ __typename }) => __typename === 'GenerationFinished')).toMatchObject([{ state: 'SUCCEEDED' }]);
  expect((await allEvents(person, id)).map(({ sequence }) => sequence)).toEqual(seen.map(({ sequence }) => sequence));
  const paid = await commits(tts, id);
  expect(paid).toHaveLength(CHUNKS);
  expect(paid.reduce((a, b) => a + b, 0)).toBe(price);
  expect(await charge(tts, person.id, id)).toEqual({
    state: 'COMMITTED',
    reserved: price,
    committed: price,
    released: 0,
  });
  expect(await balance(tts, person.id)).toMatchObject({ used: price, committed: price, held: 0, openHolds: 0 });
  const generation = await read(person, id);
  const response = await fetch(generation?.audio?.url ?? '');
  expect((await response.arrayBuffer()).byteLength).toBe(generation?.audio?.sizeBytes);
  return generation;
}

describe('kill -9 in the middle of twenty chunks', () => {
  test('of the worker: another one goes on where it stopped', async () => {
    const tts = await startTestTts();
    closers.push(() => tts.close());
    const first = tts.workerProcess();
    const { person, id, price } = await begin(tts, 'a dead worker');
    let doneBefore = new Map<number, number>();
    const seen = await follow(person, id, async (chunk) => {
      if (chunk !== 6) return;
      first.kill();
      await first.exited;
      const chunks = (await read(person, id))?.chunks ?? [];
      doneBefore = new Map(
        chunks.filter(({ state }) => state === 'SUCCEEDED').map(({ index, attempts }) => [index, attempts]),
      );
      tts.workerProcess();
    });
    const generation = await expectWhole(tts, person, id, price, seen);
    expect(doneBefore.size).toBeGreaterThanOrEqual(7);
    expect(doneBefore.size).toBeLessThan(CHUNKS);
    const attempts = generation?.chunks.map((chunk) => chunk.attempts) ?? [];
    for (const [index, before] of doneBefore) expect(attempts[index]).toBe(before);
    // Those that were being spoken when it died were begun again, and that was counted.
    expect(Math.max(...attempts)).toBe(2);
  });

  test('of the engine: its worker starts it again and speaks the chunk once more', async () => {
    const tts = await startTestTts();
    closers.push(() => tts.close());
    const worker = tts.workerProcess();
    const { person, id, price } = await begin(tts, 'a dead engine');
    let killed = 0;
    const seen = await follow(person, id, (chunk) => {
      if (chunk !== 5 && chunk !== 11) return;
      for (const pid of worker.engines()) {
        process.kill(pid, 'SIGKILL');
        killed += 1;
      }
    });
    expect(killed).toBeGreaterThanOrEqual(2);
    const generation = await expectWhole(tts, person, id, price, seen);
    expect(Math.max(...(generation?.chunks.map(({ attempts }) => attempts) ?? []))).toBeGreaterThanOrEqual(2);
  });

  test('of PostgreSQL: worker and subgraph wait for it and go on, and so does a stream that was open', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'timbre-crash-'));
    let server = await startEmbeddedPostgres({ dataDir, port: await freePort() });
    const { url } = server;
    closers.push(async () => {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    });
    await migrate(url);
    const client = createDb(url);
    const database = { url, db: client.db, pool: client.pool, drop: () => client.close() };
    const tts = await startTestTts({ database });
    closers.push(() => tts.close());
    tts.workerProcess();
    const { person, id, price } = await begin(tts, 'a dead database');
    const one = allEvents(person, id);
    const seen = await follow(person, id, async (chunk) => {
      if (chunk !== 6) return;
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
      // Longer than subscribers wait for a hint: they look for events while there is no database.
      await sleep(16_000);
      server = await startEmbeddedPostgres({ dataDir, port: Number(new URL(url).port) });
    });
    await expectWhole(tts, person, id, price, seen);
    // One that never came back by itself saw the same.
    expect((await one).map(({ sequence }) => sequence)).toEqual(seen.map(({ sequence }) => sequence));
  });
});

test('a worker that is told to stop gives its generation back, and the next one ends it', async () => {
  const tts = await startTestTts();
  closers.push(() => tts.close());
  const first = tts.workerProcess();
  const { person, id, price } = await begin(tts, 'a handover');
  const seen = await follow(person, id, async (chunk) => {
    if (chunk !== 4) return;
    first.stop();
    await first.exited;
    tts.workerProcess();
  });
  await expectWhole(tts, person, id, price, seen);
});
