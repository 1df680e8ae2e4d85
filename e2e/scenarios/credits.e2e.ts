import { randomUUID } from 'node:crypto';
import { speechText } from '@timbre/cli/bench/speech-text';
import { followGeneration } from '@timbre/cli/client/speak';
import { GenerateSpeechDocument, MeDocument } from '@timbre/cli/generated/graphql';
import { accounts, balances } from '@timbre/db/billing/tables';
import { createDb, type Db } from '@timbre/db/client';
import { createAccount } from '@timbre/db/ledger/account';
import { eq } from 'drizzle-orm';
import { expect, inject, onTestFinished, test } from 'vitest';
import { firstModel, libraryVoice } from '../testkit/library.ts';
import { newUser } from '../testkit/users.ts';

/** Long enough for a few chunks, so that the books are looked at while they change. */
const CHARACTERS = 1000;
const PRICE = 500;

test('twenty orders at once on a balance for one: one is accepted, and the books balance at every snapshot', async () => {
  const { client } = await newUser();
  const voiceId = await libraryVoice(client);
  const modelId = await firstModel(client);
  const { me } = await client.execute(MeDocument, {});
  const database = createDb(inject('system').databaseUrl, { max: 1 });
  onTestFinished(() => database.close());
  await database.db.transaction((tx) => createAccount(tx, me?.id ?? ''));
  await database.db
    .update(accounts)
    .set({ creditLimit: PRICE })
    .where(eq(accounts.userId, me?.id ?? ''));
  const done = new AbortController();
  const sampler = sampleBalance(database.db, me?.id ?? '', done.signal);

  const answers = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const text = speechText(CHARACTERS, `order ${index}`).padEnd(CHARACTERS, '!');
      const input = { idempotencyKey: randomUUID(), voiceId, modelId, text };
      return (await client.execute(GenerateSpeechDocument, { input })).generateSpeech;
    }),
  );
  const accepted = answers.flatMap((answer) => (answer?.generation ? [answer.generation.id] : []));
  expect(accepted).toHaveLength(1);
  const refused = answers.flatMap((answer) => answer?.errors ?? []);
  expect(refused.map((error) => error.__typename)).toEqual(Array.from({ length: 19 }, () => 'QuotaExceededError'));
  expect(refused[0]).toMatchObject({ required: PRICE, available: 0 });

  for await (const event of followGeneration(client, accepted[0] ?? '')) void event;
  done.abort();
  const samples = await sampler;
  expect(samples.length).toBeGreaterThan(20);
  for (const sample of samples) {
    expect(sample).toMatchObject({ used: sample.committed, held: sample.openHolds });
    expect(sample.available).toBeGreaterThanOrEqual(0);
  }
  expect((await client.execute(MeDocument, {})).me?.quota).toMatchObject({ used: PRICE, held: 0, available: 0 });
});

test('the same idempotency key replays; with another text it conflicts', async () => {
  const { client } = await newUser();
  const input = {
    idempotencyKey: randomUUID(),
    voiceId: await libraryVoice(client),
    modelId: await firstModel(client),
    text: 'Once and only once.',
  };
  const answers = await Promise.all(Array.from({ length: 5 }, () => client.execute(GenerateSpeechDocument, { input })));
  const ids = new Set(answers.map(({ generateSpeech }) => generateSpeech?.generation?.id));
  expect(ids.size).toBe(1);
  expect(answers.filter(({ generateSpeech }) => generateSpeech?.replayed === false)).toHaveLength(1);
  const { generateSpeech } = await client.execute(GenerateSpeechDocument, {
    input: { ...input, text: 'Another text.' },
  });
  expect(generateSpeech).toMatchObject({ generation: null, errors: [{ __typename: 'IdempotencyConflictError' }] });
  for await (const event of followGeneration(client, [...ids][0] ?? '')) void event;
  expect((await client.execute(MeDocument, {})).me?.quota?.used).toBe(Math.ceil(input.text.length * 0.5));
});

/** Looks at the books without a pause, each time at one snapshot. */
async function sampleBalance(db: Db, userId: string, until: AbortSignal) {
  const samples: (typeof balances.$inferSelect)[] = [];
  while (!until.aborted) {
    const rows = await db.transaction((tx) => tx.select().from(balances).where(eq(balances.userId, userId)), {
      isolationLevel: 'repeatable read',
      accessMode: 'read only',
    });
    samples.push(...rows);
  }
  return samples;
}
