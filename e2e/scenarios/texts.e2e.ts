import { randomUUID } from 'node:crypto';
import { followGeneration, orderSpeech } from '@timbre/cli/client/speak';
import {
  GenerateSpeechDocument,
  GenerationByIdDocument,
  MeDocument,
  MyGenerationsDocument,
} from '@timbre/cli/generated/graphql';
import { expect, test } from 'vitest';
import { firstModel, libraryVoice } from '../testkit/library.ts';
import { newUser } from '../testkit/users.ts';

test.each([
  ['empty', ''],
  ['only spaces', ' \n\t '],
  ['control characters', 'Hello\u0000\u0007\u001B[31m'],
  ['longer than the plan allows', 'word '.repeat(1200)],
])('text that is %s is refused, and nothing is charged or stored', async (_, text) => {
  const { client } = await newUser();
  const input = {
    idempotencyKey: randomUUID(),
    voiceId: await libraryVoice(client),
    modelId: await firstModel(client),
    text,
  };
  const { generateSpeech } = await client.execute(GenerateSpeechDocument, { input });
  expect(generateSpeech?.generation).toBeNull();
  expect(generateSpeech?.errors).toMatchObject([{ __typename: 'ValidationError', path: ['input', 'text'] }]);
  expect((await client.execute(MeDocument, {})).me?.quota).toMatchObject({ used: 0, held: 0 });
  expect((await client.execute(MyGenerationsDocument, { first: 1 })).me?.generations?.edges).toEqual([]);
});

test.each([
  ['emoji', 'I am happy 🎉👩‍👩‍👧‍👦 today!'],
  ['emoji alone', '🎉🎉🎉'],
  ['right-to-left', 'שלום עולם, זה קול.'],
  ['markup', '<speak>Not <break time="9999s"/> markup & not a tag</speak>'],
])('%s is spoken as text', async (_, text) => {
  const { client } = await newUser();
  const id = await orderSpeech(client, {
    voiceId: await libraryVoice(client),
    modelId: await firstModel(client),
    text,
  });
  for await (const event of followGeneration(client, id)) void event;
  const { generation } = await client.execute(GenerationByIdDocument, { id });
  expect(generation).toMatchObject({ state: 'SUCCEEDED', characterCount: text.length });
  expect(generation?.audio?.durationMs).toBeLessThan(30_000);
});
