import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLogger } from '../logger.ts';
import { redisMissing, startRedis } from '../testing/redis.ts';
import type { RedisServer } from '../testing/redis.ts';
import type { Marker } from './marker.ts';
import { markedAgain, readMarker, UNMARKED } from './marker.ts';
import { createRedisVersionedStore } from './redis-versioned-store.ts';
import type { VersionedStore } from './versioned-store.ts';

test('what was marked as a whole makes parts that were marked before forgotten, and those after not', () => {
  const partly = markedAgain(markedAgain(UNMARKED, ['a', 'b'], 5), ['b'], 9);
  expect(partly).toEqual({
    all: 0,
    parts: new Map([
      ['a', 5],
      ['b', 9],
    ]),
  });
  expect(markedAgain(partly, null, 7)).toEqual({ all: 7, parts: new Map([['b', 9]]) });
  expect(markedAgain(partly, [], 9)).toEqual({ all: 9, parts: new Map() });
  expect(markedAgain(partly, ['b'], 8)).toEqual(partly);
  expect(markedAgain({ all: 10, parts: new Map() }, ['a'], 9)).toEqual({ all: 10, parts: new Map() });
});

test('what is not understood is newer than anything', () => {
  expect(readMarker(null)).toEqual(UNMARKED);
  for (const text of ['', 'x', '-1', '1.5', 'x a=3']) expect(readMarker(text).all, text).toBe(Infinity);
  expect(readMarker('1 a=x b=2').parts).toEqual(
    new Map([
      ['a', Infinity],
      ['b', 2],
    ]),
  );
});

describe.skipIf(redisMissing !== null)('a store in Redis', () => {
  let redis: RedisServer;
  let store: VersionedStore;

  beforeAll(async () => {
    redis = await startRedis();
    const log = createLogger({ name: 'test', level: 'silent' });
    store = createRedisVersionedStore({ url: redis.url, log, readDeadlineMs: 10_000 });
    while ((await store.mark([], { ttlMs: 1 })) === null) await redis.client.ping();
  });
  afterAll(async () => {
    await store.close();
    await redis.stop();
  });

  test('an answer that came while this process was busy is in time', async () => {
    const read = store.read(['busy']);
    // By then it has been asked.
    setImmediate(() => {
      for (const begun = performance.now(); performance.now() - begun < 150;) continue;
    });
    expect(await read).not.toBe(null);
  });

  test('marks as it is done here', async () => {
    let expected: Marker = UNMARKED;
    const steps = [['one'], ['one', 'two'], null, ['s:a%20b', 'one-more.part=x'], ['one'], [], ['two'], ['two']];
    for (const parts of steps) {
      const sequence = await store.mark(['thing', 'other'], { ttlMs: 60_000, parts });
      if (sequence === null) throw new Error('Redis was not asked');
      expected = markedAgain(expected, parts, sequence);
      const read = await store.read(['thing', 'other']);
      expect(read?.values.map(readMarker)).toEqual([expected, expected]);
    }
  });

  const marker = async (name: string) => readMarker((await store.read([name]))?.values[0] ?? null);

  test('marks one beside others in another way, and takes away a part of it', async () => {
    const begun = await store.mark(['own'], { ttlMs: 60_000, parts: ['b:1'] });
    const other = await store.mark(['own'], { ttlMs: 60_000, parts: ['b:2'] });
    const ended = await store.mark(['theirs'], {
      ttlMs: 60_000,
      beside: { marker: 'own', parts: ['told'], without: 'b:1' },
    });
    expect(other).toBe((begun ?? 0) + 1);
    expect(await marker('theirs')).toEqual({ all: ended, parts: new Map() });
    expect(await marker('own')).toEqual({
      all: 0,
      parts: new Map([
        ['b:2', other],
        ['told', ended],
      ]),
    });
    const whole = await store.mark([], { ttlMs: 60_000, beside: { marker: 'own', parts: null, without: 'b:2' } });
    expect(await marker('own')).toEqual({ all: whole, parts: new Map() });
  });

  test('marks the whole where there are very many parts', async () => {
    for (let index = 0; index < 200; index += 1) await store.mark(['many'], { ttlMs: 60_000, parts: [`b:${index}`] });
    expect((await marker('many')).parts.size).toBe(200);
    const last = await store.mark(['many'], { ttlMs: 60_000, parts: ['b:last'] });
    expect(await marker('many')).toEqual({ all: last, parts: new Map() });
  });
});
