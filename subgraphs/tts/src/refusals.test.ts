import { grant } from '@timbre/db/ledger/grant';
import { accounts } from '@timbre/db/billing/tables';
import { readOwnGeneration } from '@timbre/db/tts/read-own-generation';
import { chunks, generations, renderings, ttsIdempotency } from '@timbre/db/tts/tables';
import { voices } from '@timbre/db/voices/tables';
import { newId } from '@timbre/platform/ids';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { balance, charge } from './testing/ledger.ts';
import { cancel, generate, order, read, remove, retry } from './testing/operations.ts';
import { LOCAL_MODEL, startTestTts, type TestTts } from './testing/test-tts.ts';

// Nothing is spoken here: what is taken stays in the queue.
let tts: TestTts;
beforeAll(async () => {
  tts = await startTestTts();
});
afterAll(() => tts.close());

/** Nothing of a person's that a refused request might have left. */
async function traces(userId: string) {
  const own = await tts.db.select().from(generations).where(eq(generations.ownerId, userId));
  const sound = await tts.db.select().from(renderings).where(eq(renderings.ownerId, userId));
  const keys = await tts.db.select().from(ttsIdempotency).where(eq(ttsIdempotency.userId, userId));
  const held = (await balance(tts, userId))?.held ?? 0;
  return { generations: own.length, renderings: sound.length, keys: keys.length, held };
}
const NOTHING = { generations: 0, renderings: 0, keys: 0, held: 0 };

describe('generateSpeech refuses', () => {
  test.each([
    ['nothing to say', { text: '' }, 'TEXT_EMPTY'],
    ['white space', { text: ' \n\t ' }, 'TEXT_EMPTY'],
    ['more than the plan takes', { text: 'a'.repeat(5001) }, 'TEXT_TOO_LONG'],
    ['control characters', { text: 'bell \u0007' }, 'TEXT_CONTROL_CHARACTER'],
    ['an unknown model', { modelId: 'gpt' }, 'MODEL_NOT_FOUND'],
    ['a format of a dearer plan', { format: 'ULAW_8000' }, 'FORMAT_NOT_IN_PLAN'],
    ['a speed out of range', { settings: { speed: 3 } }, 'SPEED_OUT_OF_RANGE'],
    ['a price above maxCredits', { text: 'a'.repeat(101), maxCredits: 50 }, 'MAX_CREDITS_EXCEEDED'],
    ['a bad idempotency key', { idempotencyKey: 'a b' }, 'INVALID_IDEMPOTENCY_KEY'],
  ])('%s, and leaves nothing behind', async (_, change, code) => {
    const person = tts.person();
    const voiceId = await tts.voice(person.id);
    const { generation, replayed, errors } = await generate(person, { voiceId, text: 'Hello.', ...change });
    expect(generation).toBeNull();
    expect(replayed).toBe(false);
    expect(errors).toMatchObject([{ __typename: 'ValidationError', code }]);
    expect(await traces(person.id)).toEqual(NOTHING);
  });

  test('takes a price of exactly maxCredits', async () => {
    const person = tts.person();
    const voiceId = await tts.voice(person.id);
    expect(await generate(person, { voiceId, text: 'a'.repeat(101), maxCredits: 51 })).toMatchObject({ errors: [] });
  });

  test('a missing voice, a stranger’s and one that is being deleted, with the same words', async () => {
    const person = tts.person();
    const answers = await Promise.all(
      [
        newId('voi'),
        await tts.voice(newId('usr')),
        await tts.voice(person.id, { status: 'DELETING' }),
        'nonsense',
        'voi_\u0000',
      ].map(async (voiceId) => (await generate(person, { voiceId, text: 'Hello.' })).errors),
    );
    expect(new Set(answers.map((errors) => JSON.stringify(errors))).size).toBe(1);
    expect(answers[0]).toMatchObject([{ code: 'VOICE_NOT_FOUND', path: ['input', 'voiceId'] }]);
    expect(await traces(person.id)).toEqual(NOTHING);
  });

  test('a voice that is not ready', async () => {
    const person = tts.person();
    const voiceId = await tts.voice(person.id, { status: 'PROCESSING', profile: null, fitting: 0.5 });
    const { errors } = await generate(person, { voiceId, text: 'Hello.' });
    expect(errors).toMatchObject([{ __typename: 'VoiceNotReadyError', status: 'PROCESSING' }]);
    expect(await traces(person.id)).toEqual(NOTHING);
  });

  test('takes a library voice', async () => {
    const person = tts.person();
    const voiceId = await tts.voice(null);
    expect(await generate(person, { voiceId, text: 'Hello.' })).toMatchObject({ errors: [] });
  });

  test('everything while no engine is installed, and offers no models', async () => {
    const person = tts.person();
    const voiceId = await tts.voice(person.id);
    tts.setModels([]);
    try {
      const { errors } = await person.raw(
        `mutation ($input: GenerateSpeechInput!) { generateSpeech(input: $input) { replayed } }`,
        { input: { idempotencyKey: 'k', modelId: 'local-1', voiceId, text: 'Hello.' } },
      );
      expect(errors?.[0]?.extensions?.code).toBe('ENGINE_UNAVAILABLE');
      expect((await person.raw('{ models { id } }')).data).toEqual({ models: [] });
      expect(await traces(person.id)).toEqual(NOTHING);
    } finally {
      tts.setModels([LOCAL_MODEL]);
    }
  });
});

describe('quota', () => {
  test('of twenty at once on a balance for one, one is taken and nineteen are told what is missing', async () => {
    const person = tts.person();
    const voiceId = await tts.voice(person.id);
    const text = (i: number) => `${String(i).padStart(4, '0')}${'x'.repeat(996)}`;
    await tts.db.transaction((tx) => grant(tx, { userId: person.id }));
    await tts.db.update(accounts).set({ creditLimit: 700 }).where(eq(accounts.userId, person.id));
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => generate(person, { voiceId, text: text(i) })),
    );
    expect(answers.filter(({ generation }) => generation !== null)).toHaveLength(1);
    const refused = answers.flatMap(({ errors }) => errors);
    expect(refused).toHaveLength(19);
    for (const error of refused) {
      expect(error).toMatchObject({ __typename: 'QuotaExceededError', required: 500, available: 200 });
    }
    expect(await balance(tts, person.id)).toMatchObject({ used: 0, held: 500, openHolds: 500, available: 200 });
    expect(await traces(person.id)).toEqual({ generations: 1, renderings: 1, keys: 1, held: 500 });
  });

  test('of an API key holds, however many ask with it and with keys that it has made at once', async () => {
    const userId = newId('usr');
    const voiceId = await tts.voice(userId);
    const { keyId, machine } = await tts.withKey(userId, { monthlyCreditLimit: 1_100 });
    const made = await tts.withKey(userId, { createdBy: keyId });
    const last = await tts.withKey(userId, { createdBy: made.keyId, monthlyCreditLimit: 1_000 });
    const machines = [machine, made.machine, last.machine];
    const answers = await Promise.all(
      Array.from({ length: 21 }, (_, i) =>
        generate(machines[i % 3] ?? machine, { voiceId, text: `${String(i).padStart(4, '0')}${'x'.repeat(996)}` }),
      ),
    );
    expect(answers.filter(({ generation }) => generation !== null)).toHaveLength(2);
    const refused = answers.flatMap(({ errors }) => errors);
    expect(refused).toHaveLength(19);
    for (const error of refused) expect(error).toMatchObject({ __typename: 'QuotaExceededError', required: 500 });
    expect(await balance(tts, userId)).toMatchObject({ held: 1_000, available: 9_000 });

    const { errors } = await generate(machine, { voiceId, text: 'y'.repeat(1_000) });
    expect(errors).toMatchObject([{ code: 'QUOTA_EXCEEDED', required: 500, available: 100 }]);
    expect(errors[0]?.message).toMatch(/^This costs 500 credits; the API key may spend 100 until /);
    const [stranger, person] = [await tts.withKey(userId), tts.person(userId)];
    for (const somebody of [stranger.machine, person]) {
      expect((await generate(somebody, { voiceId, text: 'y'.repeat(1_000) })).errors).toEqual([]);
    }
    expect((await generate(machine, { voiceId, text: 'z'.repeat(200) })).errors).toEqual([]);
  });

  test('is asked before concurrency', async () => {
    const person = tts.person();
    const voiceId = await tts.voice(person.id);
    await fillQueue(person.id, voiceId, 42);
    const { errors } = await generate(person, { voiceId, text: 'x'.repeat(5000) });
    expect(errors).toMatchObject([{ __typename: 'ConcurrencyLimitError' }]);
    await tts.db.update(accounts).set({ creditLimit: 300 }).where(eq(accounts.userId, person.id));
    const broke = await generate(person, { voiceId, text: 'x'.repeat(5000) });
    expect(broke.errors).toMatchObject([{ __typename: 'QuotaExceededError' }]);
  });
});

/** As many as fit are taken at once: two with a slot and forty that wait, on the Free plan. */
async function fillQueue(userId: string, voiceId: string, count: number) {
  const person = tts.person(userId);
  return Promise.all(
    Array.from({ length: count }, (_, i) => generate(person, { voiceId, text: `Number ${String(100 + i)}` })),
  );
}

describe('the queue', () => {
  test('takes twenty for each slot beside those with a slot, however many come at once', async () => {
    const person = tts.person();
    const voiceId = await tts.voice(person.id);
    const answers = await fillQueue(person.id, voiceId, 50);
    expect(answers.filter(({ generation }) => generation !== null)).toHaveLength(42);
    const refused = answers.flatMap(({ errors }) => errors);
    expect(refused).toHaveLength(8);
    for (const error of refused) expect(error).toMatchObject({ __typename: 'ConcurrencyLimitError', limit: 40 });
    for (const error of refused) expect(error['retryAfterMs']).toBeGreaterThan(0);
    expect((await balance(tts, person.id))?.held).toBe(42 * 5);
  });

  test('counts right also where nothing is held, as with a model that costs nothing', async () => {
    const person = tts.person();
    const voiceId = await tts.voice(person.id);
    tts.setModels([{ ...LOCAL_MODEL, creditsPerCharacter: 0 }]);
    try {
      const answers = await fillQueue(person.id, voiceId, 60);
      expect(answers.filter(({ generation }) => generation !== null)).toHaveLength(42);
      expect(await balance(tts, person.id)).toBeNull();
    } finally {
      tts.setModels([LOCAL_MODEL]);
    }
  });

  test('tells each its place, and moves up when one is canceled', async () => {
    const person = tts.person();
    const voiceId = await tts.voice(person.id);
    const ids: string[] = [];
    for (let i = 0; i < 4; i += 1) ids.push(await order(person, { voiceId, text: `Place ${String(i)}` }));
    const places = async () => Promise.all(ids.map(async (id) => (await read(person, id))?.progress.queuePosition));
    expect(await places()).toEqual([0, 1, 2, 3]);
    await cancel(person, ids[1] ?? '');
    expect(await places()).toEqual([0, null, 1, 2]);
  });
});

describe('an idempotency key', () => {
  test('replays the same request, also when the voice is gone since', async () => {
    const person = tts.person();
    const voiceId = await tts.voice(person.id);
    const input = { voiceId, text: 'Say it once.', idempotencyKey: 'once' };
    const first = await generate(person, input);
    await tts.db.delete(voices).where(eq(voices.id, voiceId));
    const second = await generate(person, input);
    expect(second).toMatchObject({ replayed: true, errors: [], generation: { id: first.generation?.id } });
    expect(await charge(tts, person.id, first.generation?.id ?? '')).toMatchObject({ reserved: 6 });
    expect(await traces(person.id)).toEqual({ generations: 1, renderings: 1, keys: 1, held: 6 });
  });

  test('conflicts with another request', async () => {
    const person = tts.person();
    const voiceId = await tts.voice(person.id);
    await generate(person, { voiceId, text: 'One.', idempotencyKey: 'k' });
    const other = await generate(person, { voiceId, text: 'Two.', idempotencyKey: 'k' });
    expect(other).toMatchObject({ generation: null, errors: [{ __typename: 'IdempotencyConflictError' }] });
  });

  test('that was refused can be used again', async () => {
    const person = tts.person();
    const voiceId = await tts.voice(person.id);
    await generate(person, { voiceId, text: '', idempotencyKey: 'k' });
    expect(await generate(person, { voiceId, text: 'Now.', idempotencyKey: 'k' })).toMatchObject({ errors: [] });
  });

  test('sent ten times at once starts one', async () => {
    const person = tts.person();
    const voiceId = await tts.voice(person.id);
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => generate(person, { voiceId, text: 'Together.', idempotencyKey: 'same' })),
    );
    expect(new Set(answers.map(({ generation }) => generation?.id)).size).toBe(1);
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect((await traces(person.id)).generations).toBe(1);
  });

  test('belongs to one person', async () => {
    const [a, b] = [tts.person(), tts.person()];
    const voiceId = await tts.voice(null);
    const one = await order(a, { voiceId, text: 'Mine.', idempotencyKey: 'k' });
    const two = await order(b, { voiceId, text: 'Mine.', idempotencyKey: 'k' });
    expect(one).not.toBe(two);
  });
});

describe('a stranger’s generation answers like a missing one', () => {
  test('wherever it is asked for', async () => {
    const owner = tts.person();
    const stranger = tts.person();
    const id = await order(owner, { voiceId: await tts.voice(owner.id), text: 'Private.' });
    const missing = newId('gen');
    const hide = (value: unknown, of: string) => JSON.stringify(value).replaceAll(of, '…');
    for (const ask of [
      (which: string) => read(stranger, which),
      (which: string) => cancel(stranger, which),
      (which: string) => retry(stranger, which, 'k'),
      (which: string) => remove(stranger, [which]),
      (which: string) => entities(stranger, [{ __typename: 'Generation', id: which }]),
      (which: string) => readOwnGeneration(tts.db, stranger.id, which),
    ]) {
      expect(hide(await ask(id), id)).toBe(hide(await ask(missing), missing));
    }
    expect(await readOwnGeneration(tts.db, owner.id, id)).toEqual({ id });
    expect((await read(owner, id))?.state).toBe('QUEUED');
  });

  test('and so does what is no id at all', async () => {
    const person = tts.person();
    const id = 'gen_\u0000';
    expect(await read(person, id)).toBeNull();
    for (const { errors } of [await cancel(person, id), await retry(person, id, 'k'), await remove(person, [id])]) {
      expect(errors).toMatchObject([{ code: 'GENERATION_NOT_FOUND' }]);
    }
  });
});

async function entities(person: ReturnType<TestTts['person']>, representations: object[]) {
  const { out } = await person.ask(
    `query ($representations: [_Any!]!) { out: _entities(representations: $representations) {
      __typename
      ... on Generation { id state text }
      ... on Voice { id usable generations(first: 2) { edges { node { id } } } }
      ... on User { id generations { edges { node { id } } } }
      ... on Model { id name }
    } }`,
    { representations },
    z.object({ out: z.array(z.looseObject({}).nullable()) }),
  );
  return out;
}

describe('entities', () => {
  test('a voice is usable when it is ready and there is an engine', async () => {
    const person = tts.person();
    const voice = (status: string) => ({ __typename: 'Voice', id: newId('voi'), status });
    expect(await entities(person, [voice('READY'), voice('PROCESSING')])).toMatchObject([
      { usable: true },
      { usable: false },
    ]);
    tts.setModels([]);
    try {
      expect(await entities(person, [voice('READY')])).toMatchObject([{ usable: false }]);
    } finally {
      tts.setModels([LOCAL_MODEL]);
    }
  });

  test('a voice lists the viewer’s own generations, a user only their own', async () => {
    const [a, b] = [tts.person(), tts.person()];
    const voiceId = await tts.voice(null);
    const mine = [
      await order(a, { voiceId, text: 'One.' }),
      await order(a, { voiceId, text: 'Two.' }),
      await order(a, { voiceId, text: 'Three.' }),
    ];
    await order(b, { voiceId, text: 'Four.' });
    const other = await tts.voice(a.id);
    const [shared, empty, self, stranger] = await entities(a, [
      { __typename: 'Voice', id: voiceId },
      { __typename: 'Voice', id: other },
      { __typename: 'User', id: a.id },
      { __typename: 'User', id: b.id },
    ]);
    const edges = (...ids: (string | undefined)[]) => ({ generations: { edges: ids.map((id) => ({ node: { id } })) } });
    expect(shared).toMatchObject(edges(mine[2], mine[1]));
    expect(empty).toMatchObject(edges());
    expect(self).toMatchObject(edges(mine[2], mine[1], mine[0]));
    expect(stranger).toMatchObject({ generations: null });
  });

  test('a model by its id, nothing for an unknown one', async () => {
    const model = (id: string) => ({ __typename: 'Model', id });
    expect(await entities(tts.person(), [model('local-1'), model('other')])).toMatchObject([
      { name: 'Timbre Local' },
      null,
    ]);
  });
});

describe('arguments', () => {
  test.each([
    ['chunks(first: -1) { index }', 'BAD_USER_INPUT'],
    ['chunks(first: 501) { index }', 'BAD_USER_INPUT'],
    ['chunks(afterIndex: -1) { index }', 'BAD_USER_INPUT'],
    ['alignment(first: -1) { text }', 'BAD_USER_INPUT'],
    ['alignment(first: 5001) { text }', 'BAD_USER_INPUT'],
    ['alignment(fromChar: -5) { text }', 'BAD_USER_INPUT'],
  ])('%s is refused', async (field, code) => {
    const person = tts.person();
    const id = await order(person, { voiceId: await tts.voice(null), text: 'Hello.' });
    const { data, errors } = await person.raw(`query ($id: ID!) { generation(id: $id) { id ${field} } }`, { id });
    expect(errors?.map((error) => error.extensions?.code)).toEqual([code]);
    expect(data?.['generation']).toMatchObject({ id });
  });

  test('a page of chunks behind any there can be is empty', async () => {
    const person = tts.person();
    const id = await order(person, { voiceId: await tts.voice(null), text: 'Hello.' });
    const query = 'query ($id: ID!) { generation(id: $id) { chunks(first: 500, afterIndex: 2147483647) { index } } }';
    expect((await person.raw(query, { id })).data).toEqual({ generation: { chunks: [] } });
  });

  test('more than a hundred generations cannot be deleted at once', async () => {
    const { errors } = await tts
      .person()
      .raw('mutation ($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds } }', {
        ids: Array.from({ length: 101 }, () => newId('gen')),
      });
    expect(errors?.[0]?.extensions?.code).toBe('BAD_USER_INPUT');
  });
});

describe('estimateGeneration', () => {
  const estimate = (person: ReturnType<TestTts['person']>, input: object) =>
    person.raw(
      'query ($input: EstimateInput!) { estimateGeneration(input: $input) { characters credits chunks cached } }',
      { input: { modelId: 'local-1', ...input } },
    );

  test('tells what generateSpeech would charge', async () => {
    const person = tts.person();
    const voiceId = await tts.voice(person.id);
    const { data } = await estimate(person, { voiceId, text: 'x'.repeat(601) });
    expect(data).toEqual({ estimateGeneration: { characters: 601, credits: 301, chunks: 3, cached: false } });
  });

  test('refuses what generateSpeech refuses', async () => {
    const person = tts.person();
    const { errors } = await estimate(person, { voiceId: newId('voi'), text: '' });
    expect(errors?.[0]).toMatchObject({
      extensions: {
        code: 'BAD_USER_INPUT',
        details: { problems: [{ code: 'TEXT_EMPTY' }, { code: 'VOICE_NOT_FOUND' }] },
      },
    });
  });
});

describe('deleting and canceling before anything ran', () => {
  test('a queued generation is canceled once, costs nothing and can then be deleted', async () => {
    const person = tts.person();
    const id = await order(person, { voiceId: await tts.voice(null), text: 'Never mind.' });
    expect(await remove(person, [id])).toMatchObject({ deletedIds: [], errors: [{ code: 'GENERATION_ACTIVE' }] });
    expect(await cancel(person, id)).toMatchObject({ generation: { state: 'CANCELED' }, errors: [] });
    expect(await cancel(person, id)).toMatchObject({ generation: { state: 'CANCELED' }, errors: [] });
    expect(await charge(tts, person.id, id)).toMatchObject({ state: 'RELEASED', committed: 0, released: 6 });
    expect((await read(person, id))?.chunks).toMatchObject([{ state: 'CANCELED', attempts: 0 }]);
    expect(await retry(person, id)).toMatchObject({ errors: [{ code: 'GENERATION_NOT_FAILED' }] });
    expect(await remove(person, [id, 'nonsense'])).toMatchObject({
      deletedIds: [id],
      errors: [{ code: 'GENERATION_NOT_FOUND', path: ['ids', '1'] }],
    });
    expect(await read(person, id)).toBeNull();
    const left = await tts.db
      .select()
      .from(chunks)
      .innerJoin(renderings, eq(renderings.id, chunks.renderingId))
      .where(eq(renderings.ownerId, person.id));
    expect(left).toEqual([]);
  });
});
