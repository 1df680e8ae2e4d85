import { grant } from '@timbre/db/ledger/grant';
import { accounts } from '@timbre/db/billing/tables';
import { newId } from '@timbre/platform/ids';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { balance } from './testing/ledger.ts';
import { cancel, generate, order, read } from './testing/operations.ts';
import { LOCAL_MODEL, startTestTts, type TestTts } from './testing/test-tts.ts';
import { traces } from './testing/traces.ts';

// Nothing is spoken here: what is taken stays in the queue.
let tts: TestTts;
beforeAll(async () => {
  tts = await startTestTts();
});
afterAll(() => tts.close());

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
    expect(await traces(tts, person.id)).toEqual({ generations: 1, renderings: 1, keys: 1, held: 500 });
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
