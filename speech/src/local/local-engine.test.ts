import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { createLogger } from '@timbre/platform/logger';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

import { DEFAULT_PROFILE } from '../engine.ts';
import type { LocalVoiceProfile } from '../engine.ts';
import { measureLoudness } from '../measure.ts';
import { createLocalEngine } from './local-engine.ts';
import type { LocalEngine, LocalEngineOptions } from './local-engine.ts';

const log = createLogger({ name: 'test', level: 'silent' });
const TEXT =
  'The quick brown fox jumps over the lazy dog. She had your dark suit in greasy wash water all year, and nobody knew why.';
const CLONE: LocalVoiceProfile = {
  ...DEFAULT_PROFILE,
  variant: 'f2',
  formantShift: 1.07,
  rate: 150,
  equalizer: DEFAULT_PROFILE.equalizer.map((_, band) => 8 * Math.sin(band / 3)),
  breath: DEFAULT_PROFILE.equalizer.map(() => -30),
};

async function start(options: Partial<LocalEngineOptions> = {}): Promise<LocalEngine> {
  const engine = await createLocalEngine({ log, ...options });
  if (!engine) throw new Error('The local engine is not installed');
  return engine;
}

function rms(samples: Float32Array): number {
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, samples.length));
}

describe('speech', () => {
  let engine: LocalEngine;
  beforeAll(async () => {
    engine = await start();
  });
  afterAll(() => engine.close());

  test('says every word, and knows where it is in the text and in the sound', async () => {
    const { samples, sampleRate, words } = await engine.synthesize({ text: TEXT, profile: DEFAULT_PROFILE });
    expect(sampleRate).toBe(22_050);
    expect(words.map(({ charStart, charEnd }) => TEXT.slice(charStart, charEnd))).toEqual(
      TEXT.split(/[^\w]+/).filter(Boolean),
    );
    let at = 0;
    for (const { startSample, endSample } of words) {
      expect(startSample).toBeGreaterThanOrEqual(at);
      expect(endSample).toBeGreaterThan(startSample);
      at = endSample;
      // There is sound where a word is said to be.
      expect(rms(samples.subarray(startSample, endSample))).toBeGreaterThan(0.01);
    }
    expect(at).toBeLessThanOrEqual(samples.length);
  });

  test.each([
    ['emoji', 'Hi 😀 there 👨‍👩‍👧 my friend', ['Hi', 'there', 'my', 'friend']],
    ['combining marks', 'e\u0301tude cafe\u0301 nai\u0308ve', ['e\u0301tude', 'cafe\u0301', 'nai\u0308ve']],
    ['right to left', 'שלום עולם', ['שלום', 'עולם']],
    ['control characters', 'one\u0000two \u0007three\u001b four', ['one', 'two', 'three', 'four']],
    ['lone surrogates', 'odd \ud800 end \udc00 here', ['odd', 'end', 'here']],
    ['numbers', 'about 3.14 or 1999 apples', ['about', '3.14', 'or', '1999', 'apples']],
    ['hyphens', "don't re-do it", ["don't", 're-do', 'it']],
    ['bidi marks', '\u202eone\u202c \u2066two\u2069', ['one', 'two']],
  ])('offsets are UTF-16 units of the text as given: %s', async (_, text, expected) => {
    const { words } = await engine.synthesize({ text, profile: DEFAULT_PROFILE });
    expect(words.map(({ charStart, charEnd }) => text.slice(charStart, charEnd))).toEqual(expected);
  });

  test('offsets still hold at the end of a long text in several scripts', async () => {
    const text = `${'Ein schöner Tag — 😀 — für große Füße. Ещё одно слово здесь. '.repeat(40)}The last words.`;
    const { words, samples } = await engine.synthesize({ text, profile: DEFAULT_PROFILE });
    expect(words.slice(-3).map(({ charStart, charEnd }) => text.slice(charStart, charEnd))).toEqual([
      'The',
      'last',
      'words',
    ]);
    expect(words.at(-1)?.endSample).toBeGreaterThan(samples.length - 22_050);
  });

  test('markup is text: it is neither obeyed nor in the way', async () => {
    const text = 'one <break time="60s"/> two &lt; three [[h@loU]] <audio src="x"/> four &amp; five';
    const { words, samples } = await engine.synthesize({ text, profile: DEFAULT_PROFILE });
    expect(samples.length / 22_050).toBeLessThan(20);
    const said = words.map(({ charStart, charEnd }) => text.slice(charStart, charEnd));
    for (const word of ['one', 'break', 'two', 'three', 'audio', 'four', 'five']) expect(said).toContain(word);
  });

  test.each(['', '   ', '\n\n', '😀😀😀', '...!?', '—', '\u0000\u0001', '\ud800'])(
    'nothing to say is a short silence: %j',
    async (text) => {
      const { samples, words } = await engine.synthesize({ text, profile: CLONE });
      expect(words).toEqual([]);
      expect(samples.length).toBeGreaterThan(0);
      expect(samples.length).toBeLessThan(22_050);
      expect(samples.every((sample) => sample === 0)).toBe(true);
    },
  );

  test('speed is honoured from half to double, at the same pitch', async () => {
    const seconds = async (speed: number): Promise<number> =>
      (await engine.synthesize({ text: TEXT, profile: { ...CLONE, rate: 120 }, speed })).samples.length;
    const normal = await seconds(1);
    for (const speed of [0.5, 0.75, 1.5, 2]) {
      expect(((await seconds(speed)) * speed) / normal).toBeGreaterThan(0.92);
      expect(((await seconds(speed)) * speed) / normal).toBeLessThan(1.08);
    }
    await expect(engine.synthesize({ text: TEXT, profile: CLONE, speed: 3 })).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
    });
    await expect(engine.synthesize({ text: TEXT, profile: CLONE, speed: Number.NaN })).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
    });
  });

  test('a profile’s filters leave the words where they are', async () => {
    const plain = { ...CLONE, equalizer: DEFAULT_PROFILE.equalizer, breath: undefined };
    const a = await engine.synthesize({ text: TEXT, profile: plain });
    const b = await engine.synthesize({ text: TEXT, profile: CLONE });
    // espeak itself varies by a few milliseconds from one time to the next.
    expect(Math.abs(b.samples.length - a.samples.length)).toBeLessThan(600);
    b.words.forEach((word, i) => expect(Math.abs(word.startSample - (a.words[i]?.startSample ?? 0))).toBeLessThan(600));
    // The gap before "She" is silent in both.
    const she = b.words.find(({ charStart }) => TEXT.startsWith('She', charStart))?.startSample ?? 0;
    expect(rms(b.samples.subarray(she - 3_000, she - 1_500))).toBeLessThan(0.005);
  });

  test('chunks of one voice are equally loud', async () => {
    const texts = [
      'Glue the sheet to the dark blue background.',
      'It is easy to tell the depth of a well.',
      'The juice of lemons makes fine punch.',
    ];
    const levels = await Promise.all(
      texts.map(async (text) => {
        const { samples, sampleRate } = await engine.synthesize({ text, profile: CLONE });
        return measureLoudness(samples, sampleRate);
      }),
    );
    for (const { lufs, peak } of levels) {
      expect(Math.abs(lufs + 20)).toBeLessThan(3);
      expect(peak).toBeLessThan(1);
    }
  });

  test('models name their languages as BCP 47, and each of them is spoken', async () => {
    const [model] = engine.models();
    expect(model).toMatchObject({
      id: 'local-1',
      name: 'Timbre Local',
      maxCharacters: 200_000,
      creditsPerCharacter: 0.5,
    });
    expect(model?.languages).toContain('en-US');
    expect(model?.languages.length).toBeGreaterThan(100);
    for (const language of model?.languages ?? []) {
      expect(Intl.getCanonicalLocales(language)).toEqual([language]);
      const { samples } = await engine.synthesize({ text: 'Nova 123', profile: { ...DEFAULT_PROFILE, language } });
      expect(samples.length).toBeGreaterThan(2_000);
    }
    expect(
      (await engine.synthesize({ text: 'Servus', profile: { ...DEFAULT_PROFILE, language: 'de-AT' } })).words.length,
    ).toBe(1);
  });

  test('unknown languages and variants, and texts that are too long, are refused by name', async () => {
    await expect(
      engine.synthesize({ text: 'x', profile: { ...DEFAULT_PROFILE, language: 'xx' } }),
    ).rejects.toMatchObject({ code: 'BAD_USER_INPUT', message: expect.stringContaining('xx') });
    await expect(
      engine.synthesize({ text: 'x', profile: { ...DEFAULT_PROFILE, variant: 'nobody' } }),
    ).rejects.toMatchObject({ code: 'BAD_USER_INPUT', message: expect.stringContaining('nobody') });
    await expect(engine.synthesize({ text: 'x'.repeat(20_001), profile: DEFAULT_PROFILE })).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      details: { limit: 20_000, sent: 20_001 },
    });
    // And the engine still speaks.
    expect((await engine.synthesize({ text: 'fine', profile: DEFAULT_PROFILE })).words.length).toBe(1);
  });

  test('long runs without a space are survived', async () => {
    for (const text of ['a'.repeat(3_000), '9'.repeat(300), '()'.repeat(2_000), 'ﷺ'.repeat(50)]) {
      expect((await engine.synthesize({ text, profile: DEFAULT_PROFILE })).samples.length).toBeGreaterThan(0);
    }
  });

  test('an aborted request rejects with the reason, before it starts and while it waits', async () => {
    const reason = new Error('gone');
    await expect(
      engine.synthesize({ text: TEXT, profile: DEFAULT_PROFILE, signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason);
    const controller = new AbortController();
    const running = engine.synthesize({ text: TEXT.repeat(20), profile: DEFAULT_PROFILE });
    const waiting = engine.synthesize({ text: TEXT, profile: DEFAULT_PROFILE, signal: controller.signal });
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect((await running).words.length).toBeGreaterThan(100);
  });
});

describe('the process', () => {
  test('killed in the middle: the request in flight fails as retryable, the one behind it and later ones are spoken', async () => {
    const engine = await start();
    try {
      const [pid] = engine.pids();
      const flying = engine.synthesize({ text: TEXT.repeat(100), profile: DEFAULT_PROFILE });
      const waiting = engine.synthesize({ text: TEXT, profile: DEFAULT_PROFILE });
      process.kill(pid ?? 0, 'SIGKILL');
      await expect(flying).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE', details: { retryable: true } });
      expect((await waiting).words.length).toBeGreaterThan(10);
      expect(engine.available()).toBe(true);
      expect(engine.pids()).not.toContain(pid);
    } finally {
      await engine.close();
    }
  });

  test('a request that overruns its time is given up, and the engine comes back', async () => {
    const engine = await start({ synthesisLimitMs: 150 });
    try {
      await expect(engine.synthesize({ text: TEXT.repeat(160), profile: CLONE })).rejects.toMatchObject({
        code: 'ENGINE_UNAVAILABLE',
        details: { retryable: true },
      });
      // However slow the machine is just now, a word comes through in the end.
      let spoken = 0;
      for (let attempt = 0; attempt < 20 && spoken === 0; attempt++) {
        spoken = await engine.synthesize({ text: 'back', profile: DEFAULT_PROFILE }).then(
          ({ words }) => words.length,
          () => 0,
        );
      }
      expect(spoken).toBe(1);
    } finally {
      await engine.close();
    }
  });

  test('several processes work side by side', async () => {
    const engine = await start({ processes: 2 });
    try {
      await Promise.all(Array.from({ length: 6 }, () => engine.synthesize({ text: TEXT, profile: DEFAULT_PROFILE })));
      expect(new Set(engine.pids()).size).toBe(2);
    } finally {
      await engine.close();
    }
  });

  test('closed: no process is left, and requests are refused', async () => {
    const engine = await start();
    const pids = engine.pids();
    const running = engine.synthesize({ text: TEXT.repeat(100), profile: DEFAULT_PROFILE });
    const [outcome] = await Promise.allSettled([running, engine.close()]);
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ENGINE_UNAVAILABLE' } });
    expect(engine.available()).toBe(false);
    for (const pid of pids) await gone(pid);
    await expect(engine.synthesize({ text: 'x', profile: DEFAULT_PROFILE })).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
    });
  });

  test('is not left behind by a parent that is killed with -9', async () => {
    const parent = fork(new URL('./testing/engine-owner.ts', import.meta.url), { execArgv: [] });
    const pids = z.array(z.number()).parse((await once(parent, 'message'))[0]);
    expect(pids.length).toBe(1);
    parent.kill('SIGKILL');
    for (const pid of pids) await gone(pid);
  });
});

/** Resolves once there is no such process (or only its remains). */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await sleep(20);
  }
}
