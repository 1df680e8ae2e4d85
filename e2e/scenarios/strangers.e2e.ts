import { randomUUID } from 'node:crypto';
import { followGeneration, orderSpeech } from '@timbre/cli/client/speak';
import {
  BeginVoiceCloneDocument,
  CancelGenerationDocument,
  DeleteVoiceDocument,
  FinalizeVoiceCloneDocument,
  GenerateSpeechDocument,
  GenerationByIdDocument,
  NodeByIdDocument,
  UpdateVoiceDocument,
  VoiceByIdDocument,
  VoiceStatusChangedDocument,
} from '@timbre/cli/generated/graphql';
import { expect, test } from 'vitest';
import { announce } from '../testkit/bytes.ts';
import { firstModel, libraryVoice } from '../testkit/library.ts';
import { newUser } from '../testkit/users.ts';

test("someone else's voice is like one that does not exist", async () => {
  const owner = await newUser({ name: 'owner' });
  const stranger = await newUser({ name: 'stranger' });
  const { beginVoiceClone } = await owner.client.execute(BeginVoiceCloneDocument, {
    input: { idempotencyKey: randomUUID(), name: 'Mine', samples: [announce(new Uint8Array(100))] },
  });
  const voiceId = beginVoiceClone?.voice?.id ?? '';
  expect((await owner.client.execute(VoiceByIdDocument, { id: voiceId })).voice?.id).toBe(voiceId);

  const missing = voiceId.replace(/.{6}$/, '000000');
  for (const id of [voiceId, missing]) {
    expect((await stranger.client.execute(VoiceByIdDocument, { id })).voice).toBeNull();
    expect((await stranger.client.execute(NodeByIdDocument, { id })).node).toBeNull();
    const input = {
      idempotencyKey: randomUUID(),
      voiceId: id,
      modelId: await firstModel(stranger.client),
      text: 'Hello.',
    };
    const { generateSpeech } = await stranger.client.execute(GenerateSpeechDocument, { input });
    expect(generateSpeech).toMatchObject({ generation: null, errors: [{ code: 'VOICE_NOT_FOUND' }] });
    const { updateVoice } = await stranger.client.execute(UpdateVoiceDocument, {
      input: { voiceId: id, name: 'Stolen' },
    });
    expect(updateVoice).toMatchObject({ voice: null, errors: [{ code: 'VOICE_NOT_FOUND' }] });
    const { finalizeVoiceClone } = await stranger.client.execute(FinalizeVoiceCloneDocument, {
      voiceId: id,
      idempotencyKey: randomUUID(),
    });
    expect(finalizeVoiceClone).toMatchObject({ voice: null, errors: [{ code: 'VOICE_NOT_FOUND' }] });
    const { deleteVoice } = await stranger.client.execute(DeleteVoiceDocument, { voiceId: id });
    expect(deleteVoice).toMatchObject({ deletedVoiceId: null, errors: [{ code: 'VOICE_NOT_FOUND' }] });
    await expect(stranger.client.subscribe(VoiceStatusChangedDocument, { voiceId: id }).next()).rejects.toMatchObject({
      codes: ['NOT_FOUND'],
    });
  }
  expect((await owner.client.execute(VoiceByIdDocument, { id: voiceId })).voice?.name).toBe('Mine');
});

test("someone else's generation is like one that does not exist", async () => {
  const owner = await newUser({ name: 'owner' });
  const stranger = await newUser({ name: 'stranger' });
  const id = await orderSpeech(owner.client, {
    voiceId: await libraryVoice(owner.client),
    modelId: await firstModel(owner.client),
    text: 'This is mine alone.',
  });
  for await (const event of followGeneration(owner.client, id)) void event;

  expect((await stranger.client.execute(GenerationByIdDocument, { id })).generation).toBeNull();
  expect((await stranger.client.execute(NodeByIdDocument, { id })).node).toBeNull();
  await expect(followGeneration(stranger.client, id).next()).rejects.toMatchObject({ codes: ['NOT_FOUND'] });
  const { cancelGeneration } = await stranger.client.execute(CancelGenerationDocument, { id });
  expect(cancelGeneration?.generation).toBeNull();
  expect(cancelGeneration?.errors).toHaveLength(1);

  const { generation } = await owner.client.execute(GenerationByIdDocument, { id });
  expect(generation?.state).toBe('SUCCEEDED');
  const url = new URL(generation?.audio?.url ?? '');
  expect((await fetch(url)).status).toBe(200);
  for (const [name, value] of url.searchParams) {
    const tampered = new URL(url);
    tampered.searchParams.set(name, value.endsWith('0') ? `${value.slice(0, -1)}1` : `${value.slice(0, -1)}0`);
    expect((await fetch(tampered)).status, name).toBe(403);
  }
  const elsewhere = new URL(url);
  elsewhere.pathname = elsewhere.pathname.replace(/.(?=\.\w+$|$)/, 'z');
  expect((await fetch(elsewhere)).status).toBe(403);
});

test('the same text of another tenant is not served from this one’s cache', async () => {
  const text = `A sentence that nobody else has ordered: ${randomUUID()}.`;
  const answers: (boolean | null | undefined)[] = [];
  for (const name of ['first', 'second']) {
    const { client } = await newUser({ name });
    const id = await orderSpeech(client, {
      voiceId: await libraryVoice(client),
      modelId: await firstModel(client),
      text,
    });
    for await (const event of followGeneration(client, id)) void event;
    answers.push((await client.execute(GenerationByIdDocument, { id })).generation?.cacheHit);
  }
  expect(answers).toEqual([false, false]);
});
