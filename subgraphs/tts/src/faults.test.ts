import { renderings } from '@timbre/db/tts/tables';
import { voices } from '@timbre/db/voices/tables';
import { AppError } from '@timbre/platform/errors';
import { eq } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { begin, expectSettled } from './testing/begin.ts';
import { gate, startDirectedEngine, type DirectedEngine } from './testing/directed-engine.ts';
import { charge, commits } from './testing/ledger.ts';
import { allEvents, cancel, events, order, read, retry, type TestEvent } from './testing/operations.ts';
import { startTestTts, type TestTts } from './testing/test-tts.ts';

let tts: TestTts;
let director: DirectedEngine;
beforeAll(async () => {
  tts = await startTestTts();
  director = await startDirectedEngine();
  await tts.work(director);
});
afterEach(() => {
  director.before = () => undefined;
});
afterAll(async () => {
  await tts.close();
  await director.end();
});

const gone = () => new AppError('ENGINE_UNAVAILABLE', 'The engine died.', { details: { retryable: true } });
const refused = () => new AppError('BAD_USER_INPUT', 'The engine does not speak this.');

const inOrder = (all: readonly TestEvent[], from = 1) =>
  expect(all.map(({ sequence }) => sequence)).toEqual(all.map((_, i) => i + from));

describe('an engine that dies now and then', () => {
  test('costs attempts and nothing else', async () => {
    const person = tts.person();
    let deaths = 0;
    director.before = ({ text }) => {
      if (!text.includes('number 2') || deaths >= 2) return;
      deaths += 1;
      throw gone();
    };
    const { id, price } = await begin(tts, person, 4, 'a relapse');
    inOrder(await allEvents(person, id));
    const generation = await read(person, id);
    expect(generation?.state).toBe('SUCCEEDED');
    expect(generation?.chunks.map(({ attempts }) => attempts)).toEqual([1, 1, 3, 1]);
    expect((await commits(tts, id)).reduce((a, b) => a + b, 0)).toBe(price);
    await expectSettled(tts, person, price);
  });
});

describe('a chunk that cannot be spoken', () => {
  test('is given up, costs nothing, and can be done again for its own price', async () => {
    const person = tts.person();
    director.before = ({ text }) => {
      if (text.includes('number 1')) throw gone();
    };
    const { id, price, lengths, text } = await begin(tts, person, 4, 'a gap');
    const first = await allEvents(person, id);
    inOrder(first);
    expect(first.at(-1)).toMatchObject({ state: 'PARTIALLY_FAILED' });
    const failed = await read(person, id);
    expect(failed).toMatchObject({
      state: 'PARTIALLY_FAILED',
      failure: { code: 'ENGINE_UNAVAILABLE', retryable: true, charged: true },
      progress: { chunksDone: 3, charactersDone: text.length - (lengths[1] ?? 0) },
    });
    expect(failed?.chunks[1]).toMatchObject({ state: 'FAILED', attempts: 4 });
    expect(failed?.audio?.durationMs).toBeGreaterThan(0);
    const paid = Math.ceil((text.length - (lengths[1] ?? 0)) / 2);
    expect(await charge(tts, person.id, id)).toEqual({
      state: 'COMMITTED',
      reserved: price,
      committed: paid,
      released: price - paid,
    });
    await expectSettled(tts, person, paid);

    director.before = () => undefined;
    const spoken = director.spoken.length;
    expect(await retry(person, id, 'again')).toMatchObject({ errors: [], replayed: false, generation: { id } });
    const last = first.length;
    const second = await allEvents(person, id, last);
    inOrder(second, last + 1);
    expect(second[0]).toMatchObject({ state: 'QUEUED' });
    expect(second.at(-1)).toMatchObject({ state: 'SUCCEEDED' });
    expect(director.spoken.slice(spoken)).toHaveLength(1);
    expect(await retry(person, id, 'again')).toMatchObject({ errors: [], replayed: true });
    expect(await retry(person, 'gen_another', 'again')).toMatchObject({
      errors: [{ code: 'IDEMPOTENCY_CONFLICT', path: ['idempotencyKey'] }],
    });

    const whole = await read(person, id);
    expect(whole).toMatchObject({ state: 'SUCCEEDED', failure: null });
    expect(whole?.chunks.map(({ attempts }) => attempts)).toEqual([1, 5, 1, 1]);
    expect(whole?.audio?.durationMs).toBeGreaterThan((failed?.audio?.durationMs ?? 0) + 5000);
    for (const [i, chunk] of (whole?.chunks ?? []).entries()) {
      expect(chunk.startMs).toBe(i === 0 ? 0 : whole?.chunks[i - 1]?.endMs);
    }
    expect(await charge(tts, person.id, id)).toMatchObject({ state: 'COMMITTED', committed: price });
    await expectSettled(tts, person, price);
    // Who was not there sees all of it, past the first end.
    inOrder(await allEvents(person, id));
    expect((await allEvents(person, id)).length).toBe(last + second.length);
  });

  test('fails the generation when no other could be spoken, and costs nothing', async () => {
    const person = tts.person();
    director.before = () => {
      throw refused();
    };
    const { id, price } = await begin(tts, person, 3, 'silence');
    expect((await allEvents(person, id)).at(-1)).toMatchObject({ state: 'FAILED' });
    expect(await read(person, id)).toMatchObject({
      audio: null,
      words: [],
      failure: { code: 'BAD_USER_INPUT', retryable: false, charged: false },
      chunks: [{ attempts: 1 }, { attempts: 1 }, { attempts: 1 }],
    });
    expect(await charge(tts, person.id, id)).toEqual({
      state: 'RELEASED',
      reserved: price,
      committed: 0,
      released: price,
    });
    await expectSettled(tts, person, 0);
  });

  test('does not tell what an unknown error said', async () => {
    const person = tts.person();
    director.before = () => {
      throw new Error('secret path /etc/passwd');
    };
    const { id } = await begin(tts, person, 1, 'a secret');
    await allEvents(person, id);
    expect((await read(person, id))?.failure).toMatchObject({ code: 'INTERNAL_SERVER_ERROR', retryable: true });
    expect(JSON.stringify(await read(person, id))).not.toContain('passwd');
  });
});

describe('a voice that goes away under way', () => {
  test.each([
    ['deleted', (voiceId: string) => tts.db.delete(voices).where(eq(voices.id, voiceId))],
    [
      'being deleted',
      (voiceId: string) => tts.db.update(voices).set({ status: 'DELETING' }).where(eq(voices.id, voiceId)),
    ],
    ['cloned again', (voiceId: string) => tts.db.update(voices).set({ revision: 9 }).where(eq(voices.id, voiceId))],
  ])('when it is %s ends the generation at the next chunk', async (how, leave) => {
    const person = tts.person();
    const door = gate();
    director.before = ({ text }) => (text.includes('number 0') ? undefined : door.opened);
    const { id, voiceId, lengths } = await begin(tts, person, 8, `a voice ${how}`);
    const seen: TestEvent[] = [];
    for await (const event of events(person, id)) {
      seen.push(event);
      if (event.__typename === 'GenerationChunkReady' && event.chunk.index === 0) {
        await leave(voiceId);
        door.open();
      }
    }
    inOrder(seen);
    expect(seen.at(-1)).toMatchObject({ state: 'PARTIALLY_FAILED' });
    const generation = await read(person, id);
    expect(generation?.failure).toMatchObject({ code: 'VOICE_UNAVAILABLE', retryable: false, charged: true });
    const done = generation?.chunks.filter(({ state }) => state === 'SUCCEEDED') ?? [];
    expect(done.length).toBeLessThan(8);
    const characters = done.reduce((sum, { index }) => sum + (lengths[index] ?? 0), 0);
    await expectSettled(tts, person, Math.ceil(characters / 2));
    expect((await retry(person, id)).errors).toHaveLength(1);
  });
});

describe('a generation that is canceled while it runs', () => {
  test('ends at once, costs what is done, and is not spoken any further', async () => {
    const person = tts.person();
    const door = gate();
    director.before = ({ text }) => (text.includes('number 0') ? undefined : door.opened);
    const { id, lengths } = await begin(tts, person, 8, 'a change of mind');
    const seen: TestEvent[] = [];
    const answers: Awaited<ReturnType<typeof cancel>>[] = [];
    for await (const event of events(person, id)) {
      seen.push(event);
      if (event.__typename === 'GenerationChunkReady') answers.push(await cancel(person, id));
    }
    expect(answers).toMatchObject([{ generation: { state: 'CANCELED' }, errors: [] }]);
    const spoken = director.spoken.length;
    door.open();
    inOrder(seen);
    expect(seen.at(-1)).toMatchObject({ __typename: 'GenerationFinished', state: 'CANCELED' });
    const paid = Math.ceil((lengths[0] ?? 0) / 2);
    expect(await charge(tts, person.id, id)).toMatchObject({ state: 'COMMITTED', committed: paid });
    expect((await read(person, id))?.chunks.map(({ state }) => state)).toEqual([
      'SUCCEEDED',
      ...Array.from({ length: 7 }, () => 'CANCELED'),
    ]);

    // Another generation shows that the worker is past it.
    const next = await begin(tts, person, 2, 'what came next');
    await allEvents(person, next.id);
    expect(director.spoken.slice(spoken).filter((text) => text.includes('a change of mind'))).toEqual([]);
    expect(await allEvents(person, id)).toHaveLength(seen.length);
    await expectSettled(tts, person, paid + next.price);
  });

  test('races with its end: one of the two decides, and the receipt agrees', async () => {
    const person = tts.person();
    await tts.plan(person.id, 'plan_premium');
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        const { id, price } = await begin(tts, person, 1, `a race of ${String(i)}`);
        for await (const event of events(person, id)) {
          if (event.__typename === 'GenerationChunkReady') await cancel(person, id);
        }
        const state = (await read(person, id))?.state;
        expect(await charge(tts, person.id, id)).toMatchObject({ state: 'COMMITTED', committed: price });
        const ends = (await allEvents(person, id)).filter(({ __typename }) => __typename === 'GenerationFinished');
        expect(ends).toMatchObject([{ state }]);
        return state;
      }),
    );
    for (const state of outcomes) expect(['SUCCEEDED', 'CANCELED']).toContain(state);
  });
});

describe('what is kept', () => {
  test('a rendering that was canceled is not in the cache', async () => {
    const person = tts.person();
    const door = gate();
    director.before = () => door.opened;
    const { id, voiceId, text } = await begin(tts, person, 1, 'half a cache');
    await cancel(person, id);
    door.open();
    director.before = () => undefined;
    const again = await order(person, { voiceId, text });
    await allEvents(person, again);
    expect((await read(person, again))?.cacheHit).toBe(false);
    expect(await tts.db.select().from(renderings).where(eq(renderings.ownerId, person.id))).toHaveLength(2);
  });
});
