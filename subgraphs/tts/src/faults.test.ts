import { renderings } from '@timbre/db/tts/tables';
import { voices } from '@timbre/db/voices/tables';
import { AppError } from '@timbre/platform/errors';
import { createLogger } from '@timbre/platform/logger';
import type { SpeechEngine } from '@timbre/speech/engine';
import { createLocalEngine } from '@timbre/speech/local/local-engine';
import { eq } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { beginRun } from './pipeline/run.ts';
import { beginChunkAttempt } from './repos/chunks.ts';
import { recordAbandonment, recordChunk } from './pipeline/record.ts';
import { directed, gate, type DirectedEngine } from './testing/directed-engine.ts';
import { balance, charge, commits } from './testing/ledger.ts';
import { allEvents, cancel, events, order, read, retry, type TestEvent } from './testing/operations.ts';
import { startTestTts, type Person, type TestTts } from './testing/test-tts.ts';
import { sentences } from './testing/texts.ts';

let tts: TestTts;
let engine: SpeechEngine;
let director: DirectedEngine;
beforeAll(async () => {
  tts = await startTestTts();
  const local = await createLocalEngine({ log: createLogger({ name: 'tts-test', level: 'error' }) });
  if (!local) throw new Error('The local engine is not installed.');
  engine = local;
  director = directed(engine);
  await tts.work(director);
});
afterEach(() => {
  director.before = () => undefined;
});
afterAll(async () => {
  await tts.close();
  await engine.close();
});

const gone = () => new AppError('ENGINE_UNAVAILABLE', 'The engine died.', { details: { retryable: true } });
const refused = () => new AppError('BAD_USER_INPUT', 'The engine does not speak this.');

/** Orders a text and gives its price and the length of each of its chunks besides. */
async function begin(person: Person, count: number, about: string) {
  const text = sentences(count, about);
  const voiceId = await tts.voice(person.id);
  const id = await order(person, { voiceId, text });
  const lengths = (await read(person, id))?.chunks.map(({ charStart, charEnd }) => charEnd - charStart) ?? [];
  return { id, voiceId, text, lengths, price: Math.ceil(text.length / 2) };
}

/** What an account shows once nothing is under way. */
async function expectSettled(person: Person, used: number) {
  expect(await balance(tts, person.id)).toMatchObject({ used, committed: used, held: 0, openHolds: 0 });
}

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
    const { id, price } = await begin(person, 4, 'a relapse');
    inOrder(await allEvents(person, id));
    const generation = await read(person, id);
    expect(generation?.state).toBe('SUCCEEDED');
    expect(generation?.chunks.map(({ attempts }) => attempts)).toEqual([1, 1, 3, 1]);
    expect((await commits(tts, id)).reduce((a, b) => a + b, 0)).toBe(price);
    await expectSettled(person, price);
  });
});

describe('a chunk that cannot be spoken', () => {
  test('is given up, costs nothing, and can be done again for its own price', async () => {
    const person = tts.person();
    director.before = ({ text }) => {
      if (text.includes('number 1')) throw gone();
    };
    const { id, price, lengths, text } = await begin(person, 4, 'a gap');
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
    await expectSettled(person, paid);

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
    await expectSettled(person, price);
    // Who was not there sees all of it, past the first end.
    inOrder(await allEvents(person, id));
    expect((await allEvents(person, id)).length).toBe(last + second.length);
  });

  test('fails the generation when no other could be spoken, and costs nothing', async () => {
    const person = tts.person();
    director.before = () => {
      throw refused();
    };
    const { id, price } = await begin(person, 3, 'silence');
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
    await expectSettled(person, 0);
  });

  test('does not tell what an unknown error said', async () => {
    const person = tts.person();
    director.before = () => {
      throw new Error('secret path /etc/passwd');
    };
    const { id } = await begin(person, 1, 'a secret');
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
    const { id, voiceId, lengths } = await begin(person, 8, `a voice ${how}`);
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
    await expectSettled(person, Math.ceil(characters / 2));
    expect((await retry(person, id)).errors).toHaveLength(1);
  });
});

describe('a generation that is canceled while it runs', () => {
  test('ends at once, costs what is done, and is not spoken any further', async () => {
    const person = tts.person();
    const door = gate();
    director.before = ({ text }) => (text.includes('number 0') ? undefined : door.opened);
    const { id, lengths } = await begin(person, 8, 'a change of mind');
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
    const next = await begin(person, 2, 'what came next');
    await allEvents(person, next.id);
    expect(director.spoken.slice(spoken).filter((text) => text.includes('a change of mind'))).toEqual([]);
    expect(await allEvents(person, id)).toHaveLength(seen.length);
    await expectSettled(person, paid + next.price);
  });

  test('races with its end: one of the two decides, and the receipt agrees', async () => {
    const person = tts.person();
    await tts.plan(person.id, 'plan_premium');
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        const { id, price } = await begin(person, 1, `a race of ${String(i)}`);
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

describe('a worker that was taken for dead', () => {
  test('can write nothing once another has taken over', async () => {
    const person = tts.person();
    const door = gate();
    director.before = () => door.opened;
    const { id } = await begin(person, 2, 'a takeover');
    // The worker holds the run by now; this is what another worker would do.
    await expect.poll(async () => (await read(person, id))?.state).toBe('RUNNING');
    const run = await beginRun(tts.db, id);
    if (!run) throw new Error('There was nothing to take over.');
    const [chunk] = run.chunks;
    if (!chunk) throw new Error('The generation has no chunks.');
    expect(run.number).toBe(2);
    // Whoever took over speaks the chunk that the first one has in hand as well.
    const owned = { generationId: id, renderingId: run.generation.renderingId, token: run.token };
    for (const { index } of run.chunks) expect(await beginChunkAttempt(tts.db, owned, index)).toBeGreaterThan(0);
    const stale = { ...run, token: 'another' };
    const sound = { audioKey: 'k', sampleCount: 10, words: [], sampleRate: 22_050 };
    await expect(recordChunk(tts.db, stale, chunk, sound)).rejects.toThrow('over');
    door.open();
    // The first worker, let go, finds the generation another's and leaves it alone.
    await expect.poll(() => director.spoken.filter((text) => text.includes('a takeover')).length).toBeGreaterThan(0);
    expect(await commits(tts, id)).toEqual([]);
    expect((await read(person, id))?.state).toBe('RUNNING');

    const ended = await recordAbandonment(tts.db, id, { code: 'X', message: 'Nobody could.', retryable: true });
    expect(ended?.id).toBe(id);
    expect((await allEvents(person, id)).at(-1)).toMatchObject({ state: 'FAILED' });
    await expectSettled(person, 0);
    expect(await recordAbandonment(tts.db, id, { code: 'X', message: '', retryable: true })).toBeNull();
  });

  test('a commit that went unnoticed is not made twice', async () => {
    const person = tts.person();
    const door = gate();
    director.before = () => door.opened;
    const { id, lengths } = await begin(person, 2, 'an echo');
    await expect.poll(async () => (await read(person, id))?.chunks[0]?.state).toBe('RUNNING');
    const [row] = await tts.pool
      .query('select run_token from tts.generations where id = $1', [id])
      .then(({ rows }) => rows);
    const run = { ...(await runOf(id)), token: String(row.run_token) };
    const [chunk] = run.chunks;
    if (!chunk) throw new Error('The generation has no chunks.');
    const sound = { audioKey: 'tts/x/y/chunks/0-1.wav', sampleCount: 100, words: [], sampleRate: 22_050 };
    await recordChunk(tts.db, run, chunk, sound);
    await recordChunk(tts.db, run, chunk, sound);
    expect(await commits(tts, id)).toEqual([Math.ceil((lengths[0] ?? 0) / 2)]);
    expect((await read(person, id))?.progress.chunksDone).toBe(1);
    await cancel(person, id);
    door.open();
  });
});

/** A run as a worker has it in hand, read without taking the generation over. */
async function runOf(id: string) {
  const { readOwnGenerations, readTexts } = await import('./repos/generations.ts');
  const { readChunksFrom } = await import('./repos/chunks.ts');
  const [ownerRow] = await tts.pool
    .query('select owner_id from tts.generations where id = $1', [id])
    .then(({ rows }) => rows);
  const [generation] = await readOwnGenerations(tts.db, String(ownerRow.owner_id), [id]);
  const [text] = await readTexts(tts.db, [id]);
  if (!generation || !text) throw new Error('There is no such generation.');
  return { generation, text, chunks: await readChunksFrom(tts.db, generation.renderingId, 0, 100), number: 1 };
}

describe('fairness', () => {
  test('whoever comes late hears something before a long text is through, on one engine', async () => {
    const long = tts.person();
    const late = tts.person();
    const door = gate();
    director.before = () => door.opened;
    const big = await begin(long, 16, 'a long story');
    await expect.poll(async () => (await read(long, big.id))?.state).toBe('RUNNING');
    const small = await begin(late, 3, 'a short story');
    await expect.poll(async () => (await read(late, small.id))?.state).toBe('RUNNING');
    const before = director.spoken.length;
    door.open();
    await Promise.all([allEvents(long, big.id), allEvents(late, small.id)]);
    const spoken = director.spoken.slice(before).map((text) => (text.includes('a short story') ? 'late' : 'long'));
    // Two of the long one's chunks were at the engine's door already.
    expect(spoken.slice(0, 3)).toContain('late');
    expect(spoken.lastIndexOf('late')).toBeLessThan(8);
  });

  test('no more of a tenant’s generations run at once than the plan allows', async () => {
    const person = tts.person();
    const door = gate();
    director.before = () => door.opened;
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1) ids.push((await begin(person, 1, `number ${String(i)} in line`)).id);
    const running = async () =>
      (await Promise.all(ids.map((id) => read(person, id)))).filter((generation) => generation?.state === 'RUNNING')
        .length;
    await expect.poll(running).toBe(2);
    // Somebody else's is taken while theirs wait, so that it is the plan that holds them back.
    const other = tts.person();
    const { id } = await begin(other, 1, 'somebody else');
    await expect.poll(async () => (await read(other, id))?.state).toBe('RUNNING');
    expect(await running()).toBe(2);
    door.open();
    await Promise.all(ids.map((each) => allEvents(person, each)));
    expect(await running()).toBe(0);
  });
});

describe('what is kept', () => {
  test('a rendering that was canceled is not in the cache', async () => {
    const person = tts.person();
    const door = gate();
    director.before = () => door.opened;
    const { id, voiceId, text } = await begin(person, 1, 'half a cache');
    await cancel(person, id);
    door.open();
    director.before = () => undefined;
    const again = await order(person, { voiceId, text });
    await allEvents(person, again);
    expect((await read(person, again))?.cacheHit).toBe(false);
    expect(await tts.db.select().from(renderings).where(eq(renderings.ownerId, person.id))).toHaveLength(2);
  });
});
