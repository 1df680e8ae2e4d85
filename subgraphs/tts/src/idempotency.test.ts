import { voices } from '@timbre/db/voices/tables';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { charge } from './testing/ledger.ts';
import { generate, order } from './testing/operations.ts';
import { startTestTts, type TestTts } from './testing/test-tts.ts';
import { traces } from './testing/traces.ts';

// Nothing is spoken here: what is taken stays in the queue.
let tts: TestTts;
beforeAll(async () => {
  tts = await startTestTts();
});
afterAll(() => tts.close());

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
    expect(await traces(tts, person.id)).toEqual({ generations: 1, renderings: 1, keys: 1, held: 6 });
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
    expect((await traces(tts, person.id)).generations).toBe(1);
  });

  test('belongs to one person', async () => {
    const [a, b] = [tts.person(), tts.person()];
    const voiceId = await tts.voice(null);
    const one = await order(a, { voiceId, text: 'Mine.', idempotencyKey: 'k' });
    const two = await order(b, { voiceId, text: 'Mine.', idempotencyKey: 'k' });
    expect(one).not.toBe(two);
  });
});
