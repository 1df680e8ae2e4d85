import { readFile } from 'node:fs/promises';
import lena from 'audio-lena';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningJobs } from './run-jobs.ts';
import { constantFlac, hum } from './testing/bad-audio.ts';
import { clone, followToEnd, finalize, read, type File } from './testing/cloning.ts';
import { lenaAs } from './testing/spoken.ts';
import { startTestVoices, type TestVoices } from './testing/start-test-voices.ts';

/** What becomes of recordings before any engine is asked: the worker here has none. */
let voices: TestVoices;
let worker: RunningJobs;
beforeAll(async () => {
  voices = await startTestVoices();
  worker = await voices.work(null);
});
afterAll(async () => {
  await worker.close();
  await voices.close();
});

const wav = (bytes: Uint8Array): File => ({ fileName: 'voice.wav', mimeType: 'audio/wav', bytes });
const recorded = () => readFile(lena.url('wav'));

async function storedRecordings(ownerId: string | null, voiceId: string, sampleIds: string[]): Promise<number> {
  const keys = sampleIds.map((id) => `tenants/${ownerId}/voices/${voiceId}/recordings/${id}`);
  return (await Promise.all(keys.map((key) => voices.store.head(key)))).filter((head) => head !== null).length;
}

describe('a clone of', () => {
  it.each<[string, () => Promise<File[]> | File[], string, RegExp]>([
    [
      'no audio',
      () => [wav(Buffer.from('RIFF is a nice word, but this is prose.'))],
      'AUDIO_UNREADABLE',
      /Recording 1/,
    ],
    [
      'a page that calls itself audio',
      () => [wav(Buffer.from('<html><script>1</script></html>'))],
      'AUDIO_UNREADABLE',
      /cannot be read/,
    ],
    [
      'a truncated recording behind a good one',
      async () => [wav(await recorded()), wav((await recorded()).subarray(0, 90_000))],
      'AUDIO_TRUNCATED',
      /Recording 2 \(“voice.wav”\)/,
    ],
    ['silence', () => [wav(hum(5, 0))], 'AUDIO_SILENT', /silen/i],
    ['an hour', () => [wav(constantFlac(3600, { claimed: true }))], 'AUDIO_TOO_LONG', /600/],
    ['a day that claims nothing', () => [wav(constantFlac(86_400, { claimed: false }))], 'AUDIO_TOO_LONG', /600/],
    [
      'four times nine minutes',
      () => [540, 541, 542, 543].map((s) => wav(hum(s))),
      'AUDIO_TOO_LONG',
      /1800 s together/,
    ],
  ])('%s fails with a code and keeps nothing of it', async (_, files, code, message) => {
    const person = voices.person();
    const voice = await clone(person, await files());
    const events = await followToEnd(person, voice.id);
    const last = events.at(-1);
    expect(last).toMatchObject({ status: 'FAILED', fitting: null, failure: { code, retryable: false } });
    expect(last?.failure?.message).toMatch(message);
    expect((await finalize(person, voice.id)).errors).toMatchObject([{ code: 'VOICE_FAILED' }]);
    const ids = voice.samples?.map(({ id }) => id) ?? [];
    await expect.poll(() => storedRecordings(person.id, voice.id, ids)).toBe(0);
  });
});

it('reads every format, and without an engine fails for now: what was sent is measured and kept', async () => {
  const person = voices.person();
  const formats = ['wav', 'flac', 'mp3', 'ogg', 'opus', 'm4a', 'webm'];
  const { id } = await clone(person, await Promise.all(formats.map(lenaAs)));
  const events = await followToEnd(person, id);
  expect(events.at(-1)).toMatchObject({ status: 'FAILED', failure: { code: 'ENGINE_UNAVAILABLE', retryable: true } });
  const samples = (await read(person, id))?.samples ?? [];
  expect(samples.map(({ fileName }) => fileName)).toEqual(formats.map((format) => `lena.${format}`));
  for (const { durationMs } of samples) expect(Math.abs((durationMs ?? 0) - lena.duration * 1000)).toBeLessThan(150);
  const ids = samples.map((sample) => sample.id);
  expect(await storedRecordings(person.id, id, ids)).toBe(formats.length);
});

it('a clone that failed for now may be finalized again', async () => {
  const person = voices.person();
  const { id } = await clone(person, [await lenaAs('wav')]);
  expect((await followToEnd(person, id)).at(-1)?.failure?.retryable).toBe(true);
  expect((await finalize(person, id)).voice).toMatchObject({ status: 'PROCESSING', failure: null });
  expect((await followToEnd(person, id)).at(-1)?.failure?.code).toBe('ENGINE_UNAVAILABLE');
});

it('follows the progress of a clone from its first state to its last, never backwards', async () => {
  const person = voices.person();
  const voice = await clone(person, await Promise.all([1, 2, 3].map(async () => wav(hum(30)))));
  const events = await followToEnd(person, voice.id);
  expect(new Set(events.map(({ status }) => status))).toEqual(new Set(['PROCESSING', 'FAILED']));
  const shown = events.flatMap(({ fitting }) => (fitting === null ? [] : [fitting]));
  expect(shown).toEqual(shown.toSorted((a, b) => a - b));
  expect(shown[0]).toBe(0);
});
