import { followGeneration, orderSpeech } from '@timbre/cli/client/speak';
import {
  BeginVoiceCloneDocument,
  DeleteVoiceDocument,
  GenerationByIdDocument,
  MeDocument,
  MyGenerationsDocument,
  MyVoicesDocument,
  NodeByIdDocument,
  UpdateVoiceDocument,
  VoiceByIdDocument,
} from '@timbre/cli/generated/graphql';
import { grantTo } from '@timbre/cli/grant/grant-to';
import { speechText } from '@timbre/cli/bench/speech-text';
import { createDb } from '@timbre/db/client';
import { tellQuota } from '@timbre/platform/bus/tell-quota';
import { createLogger } from '@timbre/platform/logger';
import { openBus } from '@timbre/platform/services';
import { randomUUID } from 'node:crypto';
import { expect, inject, onTestFinished, test } from 'vitest';
import { post } from '../testkit/post.ts';
import { firstModel, libraryVoice } from '../testkit/library.ts';
import { newUser, signIn, type TestUser } from '../testkit/users.ts';

/* The router keeps what it is answered: for up to ten seconds what is in motion, for minutes what is not. What has changed shows long before. */
const AT_ONCE = { timeout: 5_000 };
const TEXT = speechText(1_200, 'what is kept');

/** Two sessions of one person. */
async function twoSessions(): Promise<[TestUser, TestUser]> {
  const user = await newUser();
  return [user, await signIn(inject('system'), user)];
}

const quotaOf = async ({ client }: TestUser) => (await client.execute(MeDocument, {})).me?.quota;

async function newVoice({ client }: TestUser, name: string): Promise<string> {
  const sample = { fileName: 'a.wav', mimeType: 'audio/wav', sizeBytes: 1000, sha256: '0'.repeat(64) };
  const input = { idempotencyKey: randomUUID(), name, samples: [sample] };
  const { beginVoiceClone } = await client.execute(BeginVoiceCloneDocument, { input });
  return beginVoiceClone?.voice?.id ?? '';
}

test('what a generation does to itself and to the quota is seen in every session, from its order to its end', async () => {
  const [writer, reader] = await twoSessions();
  const [voiceId, modelId] = [await libraryVoice(writer.client), await firstModel(writer.client)];
  const limit = (await quotaOf(reader))?.limit ?? 0;
  expect(await quotaOf(reader)).toMatchObject({ held: 0, used: 0, available: limit });
  const listed = async () => (await reader.client.execute(MyGenerationsDocument, { first: 5 })).me?.generations?.edges;
  expect(await listed()).toEqual([]);

  const id = await orderSpeech(writer.client, { voiceId, modelId, text: TEXT });
  const price = Math.ceil(TEXT.length / 2);
  // The same user's mutation is never behind anything that they read.
  expect((await listed())?.map(({ node }) => node.id)).toEqual([id]);
  expect(await quotaOf(reader)).toMatchObject({ available: limit - price });
  const seen = async () => {
    const { generation } = await reader.client.execute(GenerationByIdDocument, { id });
    const [edge] = (await listed()) ?? [];
    return { details: generation, inList: edge?.node };
  };
  for await (const event of followGeneration(writer.client, id)) {
    if (event.__typename !== 'GenerationProgressed') continue;
    const { chunksDone } = event.progress;
    await expect
      .poll(async () => {
        const { details, inList } = await seen();
        return Math.min(details?.progress?.chunksDone ?? -1, inList?.progress?.chunksDone ?? -1);
      }, AT_ONCE)
      .toBeGreaterThanOrEqual(chunksDone);
  }
  const over = { state: 'SUCCEEDED', audio: { url: expect.any(String) } };
  await expect
    .poll(seen, AT_ONCE)
    .toMatchObject({ details: { ...over, charge: { state: 'COMMITTED', committed: price } }, inList: over });
  await expect.poll(() => quotaOf(reader), AT_ONCE).toMatchObject({ held: 0, used: price, available: limit - price });
});

test('a signed address from the cache works, and has most of its life before it', async () => {
  const [user, other] = await twoSessions();
  const [voiceId, modelId] = [await libraryVoice(user.client), await firstModel(user.client)];
  const id = await orderSpeech(user.client, { voiceId, modelId, text: 'Short.' });
  for await (const event of followGeneration(user.client, id)) void event;
  const audio = async ({ client }: TestUser) =>
    (await client.execute(GenerationByIdDocument, { id })).generation?.audio ?? null;
  await expect.poll(() => audio(user), AT_ONCE).not.toBeNull();
  const first = await audio(user);
  for (const session of [user, other]) {
    const again = await audio(session);
    expect(Date.parse(again?.expiresAt ?? '') - Date.now()).toBeGreaterThan(1_800_000);
    expect((await fetch(again?.url ?? '')).status).toBe(200);
  }
  expect(await audio(user)).toEqual(first);
});

test('what is deleted or renamed in one session is so in the other', async () => {
  const [writer, reader] = await twoSessions();
  const ids = [await newVoice(writer, 'First'), await newVoice(writer, 'Second')] as const;
  const seen = async () => {
    const [{ voice }, { node }, { me }] = await Promise.all([
      reader.client.execute(VoiceByIdDocument, { id: ids[0] }),
      reader.client.execute(NodeByIdDocument, { id: ids[0] }),
      reader.client.execute(MyVoicesDocument, { first: 10 }),
    ]);
    return [voice?.name ?? null, node?.id ?? null, me?.voices?.edges.map(({ node: { name } }) => name)];
  };
  expect(await seen()).toEqual(['First', ids[0], ['Second', 'First']]);
  await writer.client.execute(UpdateVoiceDocument, { input: { voiceId: ids[0], name: 'Renamed' } });
  expect(await seen()).toEqual(['Renamed', ids[0], ['Second', 'Renamed']]);
  await writer.client.execute(DeleteVoiceDocument, { voiceId: ids[0] });
  expect(await seen()).toEqual([null, null, ['Second']]);

  const [voiceId, modelId] = [await libraryVoice(writer.client), await firstModel(writer.client)];
  const id = await orderSpeech(writer.client, { voiceId, modelId, text: 'To be deleted.' });
  for await (const event of followGeneration(writer.client, id)) void event;
  const left = async () => {
    const [{ generation }, { node }, { me }] = await Promise.all([
      reader.client.execute(GenerationByIdDocument, { id }),
      reader.client.execute(NodeByIdDocument, { id }),
      reader.client.execute(MyGenerationsDocument, { first: 10 }),
    ]);
    return [generation?.id, node?.id, me?.generations?.edges.length];
  };
  expect(await left()).toEqual([id, id, 1]);
  const query = 'mutation ($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds } }';
  expect((await post(query, { token: writer.token, variables: { ids: [id] } })).data).toEqual({
    deleteGenerations: { deletedIds: [id] },
  });
  expect(await left()).toEqual([undefined, undefined, 0]);
});

test('what is granted behind the graph shows at once', async () => {
  const user = await newUser();
  const me = async () => (await user.client.execute(MeDocument, {})).me;
  const before = await me();
  expect(before).toMatchObject({ plan: { tier: 'FREE' }, quota: { limit: 10_000 } });
  const { databaseUrl } = inject('system');
  const log = createLogger({ name: 'e2e', level: 'silent' });
  const [database, bus] = [createDb(databaseUrl, { max: 1 }), await openBus({ DATABASE_URL: databaseUrl }, { log })];
  onTestFinished(() => database.close());
  onTestFinished(() => bus.close());
  await grantTo(database.db, { email: user.email, plan: 'basic', credits: 7, devIssuer: true });
  // It is not told yet: what is shown is what is kept.
  expect(await me()).toEqual(before);
  await tellQuota(bus, before?.id ?? '');
  await expect.poll(me, AT_ONCE).toMatchObject({ plan: { tier: 'BASIC' }, quota: { limit: 100_007 } });
});
