import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { sampleRecording } from '@timbre/cli/demo/sample-recording';
import {
  BeginVoiceCloneDocument,
  FinalizeVoiceCloneDocument,
  MeDocument,
  SubmitVoiceConsentDocument,
  VoiceStatusChangedDocument,
  type VoiceJobFieldsFragment,
} from '@timbre/cli/generated/graphql';
import { expect, test } from 'vitest';
import { announce, wav } from '../testkit/bytes.ts';
import { newUser, type TestUser } from '../testkit/users.ts';

interface Upload {
  method: string;
  url: string;
  headers: { name: string; value: string }[];
}

async function begin({ client }: TestUser, bytes: Uint8Array): Promise<{ voiceId: string; upload: Upload }> {
  const { beginVoiceClone } = await client.execute(BeginVoiceCloneDocument, {
    input: { idempotencyKey: randomUUID(), name: 'Upload', samples: [announce(bytes)] },
  });
  const [upload] = beginVoiceClone?.uploads ?? [];
  if (!upload || !beginVoiceClone?.voice) throw new Error(JSON.stringify(beginVoiceClone));
  return { voiceId: beginVoiceClone.voice.id, upload };
}

const put = ({ method, url, headers }: Upload, bytes: Uint8Array) =>
  fetch(url, { method, headers: headers.map(({ name, value }) => [name, value]), body: bytes });

async function finalize({ client }: TestUser, voiceId: string) {
  await client.execute(SubmitVoiceConsentDocument, {
    input: { idempotencyKey: randomUUID(), voiceId, speakerName: 'Someone', locale: 'en', attestation: true },
  });
  return (await client.execute(FinalizeVoiceCloneDocument, { voiceId, idempotencyKey: randomUUID() }))
    .finalizeVoiceClone;
}

async function outcome(user: TestUser, bytes: Uint8Array): Promise<VoiceJobFieldsFragment | null> {
  const { voiceId, upload } = await begin(user, bytes);
  expect((await put(upload, bytes)).status).toBeLessThan(300);
  expect((await finalize(user, voiceId))?.errors).toEqual([]);
  let last: VoiceJobFieldsFragment | null = null;
  for await (const { voiceStatusChanged } of user.client.subscribe(VoiceStatusChangedDocument, { voiceId }))
    last = voiceStatusChanged;
  return last;
}

test('an upload takes the announced bytes and nothing else; the same again is fine, after finalize it is not', async () => {
  const user = await newUser();
  const bytes = await readFile(sampleRecording('wav'));
  const { voiceId, upload } = await begin(user, bytes);
  const other = Uint8Array.from(bytes, (byte, index) => (index === 5000 ? byte ^ 1 : byte));
  expect((await put(upload, other)).status).toBeGreaterThanOrEqual(400);
  expect((await put(upload, bytes.subarray(0, 1000))).status).toBeGreaterThanOrEqual(400);
  const missing = await finalize(user, voiceId);
  expect(missing?.errors).toMatchObject([{ __typename: 'ValidationError' }]);

  for (const [name, value] of new URL(upload.url).searchParams) {
    const url = new URL(upload.url);
    url.searchParams.set(name, value.endsWith('0') ? `${value.slice(0, -1)}1` : `${value.slice(0, -1)}0`);
    expect((await put({ ...upload, url: url.href }, bytes)).status, name).toBe(403);
  }
  expect((await put(upload, bytes)).ok).toBe(true);
  expect((await put(upload, bytes)).status).toBe(200);
  expect((await finalize(user, voiceId))?.errors).toEqual([]);
  expect((await put(upload, bytes)).status).toBe(409);
});

test.each([
  ['no audio', 'AUDIO_UNREADABLE', new TextEncoder().encode('This is not a recording. '.repeat(100))],
  ['silent', 'AUDIO_SILENT', wav(new Int16Array(16_000 * 10))],
  ['an hour long', 'AUDIO_TOO_LONG', hourOfNoise()],
])('a recording that is %s fails the clone with %s', async (_, code, bytes) => {
  const user = await newUser();
  const voice = await outcome(user, bytes);
  expect(voice).toMatchObject({ status: 'FAILED', failure: { code, retryable: false } });
  expect((await user.client.execute(MeDocument, {})).me?.quota).toMatchObject({ used: 0, held: 0 });
});

/** A WAV of 6 kHz and 8 bits, which is below the upload's limit. */
function hourOfNoise(): Uint8Array {
  const bytes = Buffer.alloc(44 + 3600 * 6_000, wav(new Int16Array(0), { sampleRate: 6_000, seconds: 1800 }));
  bytes.writeUInt32LE(6_000, 28);
  bytes.writeUInt16LE(1, 32);
  bytes.writeUInt16LE(8, 34);
  for (let i = 44; i < bytes.length; i++) bytes[i] = (i * 7919) % 251;
  return bytes;
}

test('a truncated recording fails the clone with a typed code', async () => {
  const whole = await readFile(sampleRecording('m4a'));
  const voice = await outcome(await newUser(), whole.subarray(0, 3000));
  expect(voice?.status).toBe('FAILED');
  expect(voice?.failure?.code).toMatch(/^AUDIO_/);
});
