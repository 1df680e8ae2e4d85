import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { createLogger } from '@timbre/platform/logger';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { measureVoice } from '../analysis/voice-measure.ts';
import { decodeRecording } from '../decoding/decode-recording.ts';
import { DEFAULT_PROFILE, VoiceProfile } from '../engine.ts';
import type { Recording } from '../engine.ts';
import { createLocalEngine } from '../local/local-engine.ts';
import type { LocalEngine } from '../local/local-engine.ts';

const LENA = join(dirname(createRequire(import.meta.url).resolve('audio-lena')), 'lena.mp3');
const TEXT =
  'People look, but no one ever finds it. When a man looks for something beyond his reach, his friends say so.';

let engine: LocalEngine;
let recording: Recording;
beforeAll(async () => {
  const started = await createLocalEngine({ log: createLogger({ name: 'test', level: 'silent' }) });
  if (!started) throw new Error('The local engine is not installed');
  engine = started;
  recording = await decodeRecording(LENA);
});
afterAll(() => engine.close());

test(
  'a clone has its speaker’s pitch and pace and comes closer in timbre, while the caller stays responsive',
  { timeout: 180_000 },
  async () => {
    const progress: number[] = [];
    let ticks = 0;
    const ticking = setInterval(() => ticks++, 10);
    const { profile, match } = await engine.fit({
      recordings: [recording],
      language: 'en-GB',
      onProgress: (value) => progress.push(value),
    });
    clearInterval(ticking);

    expect(ticks).toBeGreaterThan(50);
    expect(progress.length).toBeGreaterThan(10);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    expect(progress.at(-1)).toBe(1);

    expect(VoiceProfile.parse(JSON.parse(JSON.stringify(profile)))).toEqual(profile);
    expect(profile.language).toBe('en-GB');
    expect(Math.abs(match.f0ErrorSemitones)).toBeLessThan(0.75);
    expect(match.paceRatio).toBeGreaterThan(0.8);
    expect(match.paceRatio).toBeLessThan(1.25);
    expect(match.timbreAfter).toBeLessThan(match.timbreBefore * 0.7);

    // And so does what it says, measured apart from the fit.
    const clone = measureVoice([await engine.synthesize({ text: TEXT, profile })]);
    const speaker = measureVoice([recording]);
    expect(Math.abs(12 * Math.log2(clone.f0MedianHz / speaker.f0MedianHz))).toBeLessThan(1.5);
  },
);

test('too little voice, or none, is refused with what is needed', async () => {
  const { samples, sampleRate } = recording;
  await expect(
    engine.fit({ recordings: [{ samples: samples.subarray(0, sampleRate * 2), sampleRate }] }),
  ).rejects.toMatchObject({
    code: 'AUDIO_TOO_SHORT',
    message: expect.stringMatching(/at least 3 s .* have [0-9.]+ s/),
  });
  await expect(
    engine.fit({ recordings: [{ samples: new Float32Array(sampleRate * 5), sampleRate }] }),
  ).rejects.toMatchObject({ code: 'AUDIO_TOO_SHORT' });
  await expect(engine.fit({ recordings: [] })).rejects.toMatchObject({ code: 'AUDIO_TOO_SHORT' });
  await expect(engine.fit({ recordings: [recording], language: 'xx' })).rejects.toMatchObject({
    code: 'BAD_USER_INPUT',
  });
});

test('an abort ends the fit at once, and the engine speaks on', async () => {
  const reason = new Error('no longer wanted');
  const controller = new AbortController();
  const fitting = engine.fit({
    recordings: [recording],
    signal: controller.signal,
    onProgress: () => controller.abort(reason),
  });
  await expect(fitting).rejects.toBe(reason);
  const { words } = await engine.synthesize({ text: 'still here', profile: DEFAULT_PROFILE });
  expect(words.length).toBe(2);
});
