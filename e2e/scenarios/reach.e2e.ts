import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { speechText } from '@timbre/cli/bench/speech-text';
import { cloneVoice } from '@timbre/cli/client/clone-voice';
import { followGeneration, orderSpeech } from '@timbre/cli/client/speak';
import { sampleRecording } from '@timbre/cli/demo/sample-recording';
import { USER_SCOPES } from '@timbre/platform/scopes';
import { expect, inject, test } from 'vitest';
import { firstModel, libraryVoice } from '../testkit/library.ts';
import { post } from '../testkit/post.ts';
import { newUser, signIn } from '../testkit/users.ts';

const VOICE = 'id name description status usable previewUrl labels { key value } consent { state } samples { id }';
const GENERATION = `id state characterCount completedAt cacheHit progress { charactersDone } failure { code }
  audio { sha256 } voice { id name usable } charge { state reserved committed released }`;
const LIST = 'edges { node { id name status usable } }';
/** What differs from one answer to the next without a change. */
const FLEETING = /"previewUrl":"[^"]*"/g;

/** Five questions at once, again and again: of more than a hundred in a second, one person's would be refused. */
const PACE_MS = 250;

/** Each by its id, under a name of its own. */
const each = (ids: readonly string[], field: string, selection: string) =>
  ids.map((id, index) => `${field}${index}: ${field}(id: "${id}") { ${selection} }`).join(' ');

test('after each mutation its author sees what who has nothing kept sees', async () => {
  const { client, email, token } = await newUser();
  const [voiceId, modelId] = [await libraryVoice(client), await firstModel(client)];
  const recordings = [sampleRecording('flac')];
  const { id: cloned } = await cloneVoice(client, { name: 'Lena', speakerName: 'Lena', recordings });
  const voices = [voiceId, cloned];
  const generations: string[] = [];
  const keys: string[] = [];

  async function everything(reader: string): Promise<string[]> {
    await sleep(PACE_MS);
    const queries = [
      `{ me { id displayName plan { id } quota { used held available } } }`,
      '{ me { apiKeys(first: 20) { edges { node { id name revokedAt } } } } }',
      `{ ${each([...voices, ...generations, ...keys], 'node', '__typename id')} }`,
      `{ me { voices(first: 20) { totalCount ${LIST} } found: voices(first: 20, filter: { search: "lena" }) { ${LIST} } }
        ${each(voices, 'voice', VOICE)} voiceLibrary(first: 20) { ${LIST} } }`,
      `{ me { generations(first: 20) { edges { node { ${GENERATION} } } } } ${each(generations, 'generation', GENERATION)} }`,
    ];
    const answers = await Promise.all(queries.map((query) => post(query, { token: reader })));
    expect(answers.flatMap(({ codes }) => codes)).toEqual([]);
    return answers.map(({ data }) => JSON.stringify(data).replaceAll(FLEETING, ''));
  }

  /** @returns the first id in the answer */
  async function after(mutation: string, variables: Record<string, unknown> = {}): Promise<string> {
    await everything(token);
    const { codes, data } = await post(mutation, { token, variables });
    expect(codes, mutation).toEqual([]);
    const text = JSON.stringify(data);
    expect(text).toContain('"errors":[]');
    await compare(mutation);
    return /"id":"([^"]+)"/.exec(text)?.[1] ?? '';
  }

  async function compare(mutation: string): Promise<void> {
    const seen = await everything(token);
    // What is private is kept for nobody who holds what nobody has held before.
    const { token: unknown } = await signIn(inject('system'), {
      email,
      scopes: [...USER_SCOPES, `no:${randomUUID()}`],
    });
    expect(seen, mutation).toEqual(await everything(unknown));
  }

  await after('mutation { updateProfile(input: { displayName: "Somebody" }) { errors { code } } }');
  keys.push(
    await after(
      'mutation { createApiKey(input: { name: "k", scopes: ["tts:read"] }) { apiKey { id } errors { code } } }',
    ),
  );
  await after('mutation ($id: ID!) { revokeApiKey(id: $id) { errors { code } } }', { id: keys[0] });
  await after('mutation ($id: ID!) { updateVoice(input: { voiceId: $id, name: "Nele" }) { errors { __typename } } }', {
    id: cloned,
  });
  const input = {
    idempotencyKey: randomUUID(),
    name: 'Lena again',
    samples: [{ fileName: 'a.wav', mimeType: 'audio/wav', sizeBytes: 200_000, sha256: 'a'.repeat(64) }],
  };
  voices.push(
    await after(
      'mutation ($input: BeginVoiceCloneInput!) { beginVoiceClone(input: $input) { voice { id } errors { __typename } } }',
      { input },
    ),
  );
  const consent = { idempotencyKey: randomUUID(), speakerName: 'Lena', locale: 'en', attestation: true };
  await after(
    'mutation ($input: SubmitConsentInput!) { submitVoiceConsent(input: $input) { errors { __typename } } }',
    {
      input: { ...consent, voiceId: voices[2] },
    },
  );
  await after('mutation ($id: ID!) { deleteVoice(voiceId: $id) { errors { __typename } } }', { id: voices[2] });

  // While a worker speaks, no two answers are the same.
  await everything(token);
  const spoken = await orderSpeech(client, { voiceId: cloned, modelId, text: 'Hello.' });
  generations.push(spoken);
  for await (const event of followGeneration(client, spoken)) void event;
  await compare('generateSpeech');
  const canceled = await orderSpeech(client, { voiceId, modelId, text: speechText(5_000, 'to be canceled') });
  generations.push(canceled);
  await after('mutation ($id: ID!) { cancelGeneration(id: $id) { errors { code } } }', { id: canceled });
  await after('mutation ($id: ID!) { revokeVoiceConsent(voiceId: $id) { errors { __typename } } }', { id: cloned });
  await after('mutation ($ids: [ID!]!) { deleteGenerations(ids: $ids) { errors { code } } }', { ids: generations });
});
