import { readSpeakableVoice } from '@timbre/db/voices/read-speakable-voice';
import { createLogger } from '@timbre/platform/logger';
import { decodeRecording } from '@timbre/speech/decoding/decode-recording';
import { VoiceProfile } from '@timbre/speech/engine';
import { createLocalEngine, type LocalEngine } from '@timbre/speech/local/local-engine';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { LIBRARY } from './library.ts';
import type { RunningJobs } from './run-jobs.ts';
import {
  begin,
  announced,
  clone,
  consent,
  finalize,
  followToEnd,
  put,
  read,
  remove,
  revoke,
} from './testing/cloning.ts';
import { lenaAs, lenaInTwo, somebodyElse } from './testing/spoken.ts';
import { startTestVoices, type TestVoices } from './testing/start-test-voices.ts';

/** The whole way with the real engine. */
let voices: TestVoices;
let worker: RunningJobs;
let engine: LocalEngine;
beforeAll(async () => {
  const created = await createLocalEngine({ log: createLogger({ name: 'engine', level: 'error' }) });
  if (created === null)
    throw new Error('The local engine is not installed: npm install @echogarden/espeak-ng-emscripten');
  engine = created;
  voices = await startTestVoices();
  worker = await voices.work(engine);
});
afterAll(async () => {
  await worker.close();
  await engine.close();
  await voices.close();
});

it('a person clones a voice, hears it, and takes it away again', async () => {
  const person = voices.person();
  const [part, spoken] = await lenaInTwo();
  const files = [part, ...(await Promise.all(['flac', 'mp3', 'ogg', 'opus', 'm4a', 'webm'].map(lenaAs)))];
  const begun = await begin(person, { name: 'Lena', samples: files.map(announced) });
  const id = begun.voice?.id ?? '';
  const events = followToEnd(person, id);
  for (const [index, target] of begun.uploads.entries()) {
    expect(await put(target, files[index]?.bytes ?? Buffer.alloc(0))).toBe(200);
  }
  const agreed = await consent(person, id, { recording: announced(spoken) });
  if (agreed.upload === null) throw new Error('no upload for the consent');
  expect(await put(agreed.upload, spoken.bytes)).toBe(200);
  expect((await finalize(person, id)).voice?.status).toBe('PROCESSING');

  const seen = await events;
  expect(seen.map(({ status }) => status).filter((status, i, all) => status !== all[i - 1])).toEqual([
    'AWAITING_UPLOAD',
    'PROCESSING',
    'READY',
  ]);
  const shown = seen.flatMap(({ fitting }) => (fitting === null ? [] : [fitting]));
  expect(shown.length).toBeGreaterThan(4);
  expect(shown).toEqual(shown.toSorted((a, b) => a - b));

  const voice = await read(person, id);
  expect(voice).toMatchObject({
    status: 'READY',
    languages: ['en-US'],
    fitting: null,
    failure: null,
    consent: { state: 'VERIFIED', speakerName: 'Lena Speaker' },
  });
  expect(voice?.consent?.verifiedAt).not.toBeNull();
  expect(voice?.samples?.map(({ durationMs }) => Math.round((durationMs ?? 0) / 1000))).toEqual([
    7, 12, 12, 12, 12, 12, 12,
  ]);
  // A lively speaker, near the end of what the local engine reaches in pitch and range.
  expect(Math.abs(voice?.match?.f0ErrorSemitones ?? 99)).toBeLessThan(2);
  expect(voice?.match?.timbreAfter ?? 99).toBeLessThan(voice?.match?.timbreBefore ?? 0);

  const preview = await fetch(voice?.previewUrl ?? '');
  expect(preview.headers.get('content-type')).toBe('audio/mpeg');
  const heard = await decodeRecording(new Uint8Array(await preview.arrayBuffer()));
  expect(heard.durationMs).toBeGreaterThan(3000);

  const speakable = await readSpeakableVoice(voices.db, person.id ?? '', id);
  expect(speakable).toMatchObject({ status: 'READY', revision: 1, ownerId: person.id });
  expect(VoiceProfile.parse(speakable?.profile).engine).toBe('local');

  expect((await remove(person, id)).deletedVoiceId).toBe(id);
  expect(await readSpeakableVoice(voices.db, person.id ?? '', id)).toBeNull();
  const rows = () =>
    voices.pool.query('select from voices.voices where id = $1', [id]).then(({ rowCount }) => rowCount);
  await expect.poll(rows).toBe(0);
  expect((await fetch(voice?.previewUrl ?? '')).status).toBe(404);
}, 180_000);

describe('a consent that somebody else spoke', () => {
  it('is rejected, and with it the voice', async () => {
    const person = voices.person();
    const { id } = await clone(person, [await lenaAs('mp3')], {}, await somebodyElse(engine));
    expect((await followToEnd(person, id)).at(-1)).toMatchObject({
      status: 'FAILED',
      consent: { state: 'REJECTED' },
      failure: { code: 'CONSENT_VOICE_MISMATCH', retryable: false },
    });
    expect(await readSpeakableVoice(voices.db, person.id ?? '', id)).toMatchObject({ status: 'FAILED', profile: null });
  });
});

describe('while the fitting runs', () => {
  it.each([
    ['revoking the consent ends it', revoke, 'FAILED'],
    ['deleting the voice ends it', remove, 'DELETING'],
  ])('%s', async (_, act, end) => {
    const person = voices.person();
    const { id } = await clone(person, [await lenaAs('ogg')]);
    const query = 'subscription ($id: ID!) { voiceStatusChanged(voiceId: $id) { status fitting } }';
    const shape = z.object({ voiceStatusChanged: z.object({ status: z.string(), fitting: z.number().nullable() }) });
    const statuses: string[] = [];
    let acted = false;
    for await (const { voiceStatusChanged: event } of person.follow(query, { id }, shape)) {
      statuses.push(event.status);
      if (acted || (event.fitting ?? 0) < 0.3) continue;
      acted = true;
      expect((await act(person, id)).errors).toEqual([]);
    }
    expect(statuses.at(-1)).toBe(end);
    const running = `select from jobs.job where name = 'voices.fit' and state = 'active'`;
    await expect.poll(() => voices.pool.query(running).then(({ rowCount }) => rowCount)).toBe(0);
    const after = await read(person, id);
    expect(after?.status ?? 'DELETING').toBe(end);
    const left = `tenants/${person.id}/voices/${id}/preview-1.mp3`;
    expect(await voices.store.head(left)).toBeNull();
  });
});

it('library voices get their previews', async () => {
  const nobody = voices.person(null);
  const urls = async () => {
    const all = await Promise.all(LIBRARY.map(({ id }) => read(nobody, id)));
    return all.flatMap((voice) => voice?.previewUrl ?? []);
  };
  await expect.poll(async () => (await urls()).length).toBe(LIBRARY.length);
  for (const url of await urls()) {
    const heard = await decodeRecording(new Uint8Array(await (await fetch(url)).arrayBuffer()));
    expect(heard.durationMs).toBeGreaterThan(2000);
  }
});
