import { chunks, renderings } from '@timbre/db/tts/tables';
import { newId } from '@timbre/platform/ids';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { charge } from './testing/ledger.ts';
import { cancel, generate, order, read, remove, retry } from './testing/operations.ts';
import { LOCAL_MODEL, startTestTts, type TestTts } from './testing/test-tts.ts';
import { NOTHING, traces } from './testing/traces.ts';

// Nothing is spoken here: what is taken stays in the queue.
let tts: TestTts;
beforeAll(async () => {
  tts = await startTestTts();
});
afterAll(() => tts.close());

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
    expect(await traces(tts, person.id)).toEqual(NOTHING);
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
    expect(await traces(tts, person.id)).toEqual(NOTHING);
  });

  test('a voice that is not ready', async () => {
    const person = tts.person();
    const voiceId = await tts.voice(person.id, { status: 'PROCESSING', profile: null, fitting: 0.5 });
    const { errors } = await generate(person, { voiceId, text: 'Hello.' });
    expect(errors).toMatchObject([{ __typename: 'VoiceNotReadyError', status: 'PROCESSING' }]);
    expect(await traces(tts, person.id)).toEqual(NOTHING);
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
      expect(await traces(tts, person.id)).toEqual(NOTHING);
    } finally {
      tts.setModels([LOCAL_MODEL]);
    }
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
