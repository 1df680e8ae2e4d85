import { createLogger } from '@timbre/platform/logger';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { DEFAULT_PROFILE } from '../engine.ts';
import type { Speech } from '../engine.ts';
import { createLocalEngine } from '../local/local-engine.ts';
import type { LocalEngine } from '../local/local-engine.ts';
import { splitText } from '../splitting/split-text.ts';
import type { TextChunk } from '../splitting/split-text.ts';
import { createJoiner, placeWords } from './joiner.ts';
import type { JoinedPiece } from './joiner.ts';

const RATE = 22_050;
const TEXT =
  'The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background, and it is easy to tell the depth of a well. ' +
  'These days a chicken leg is a rare dish.\n\nRice is often served in round bowls. The juice of lemons makes fine punch.';

function joinedSamples(pieces: JoinedPiece[], tail: Float32Array): Float32Array {
  const all = [...pieces.map(({ samples }) => samples), tail];
  const out = new Float32Array(all.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of all) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function largestStep(samples: Float32Array): number {
  let step = 0;
  for (let i = 1; i < samples.length; i++) step = Math.max(step, Math.abs((samples[i] ?? 0) - (samples[i - 1] ?? 0)));
  return step;
}

describe('real speech', () => {
  let engine: LocalEngine | null = null;
  let chunks: TextChunk[] = [];
  const speech: Speech[] = [];

  beforeAll(async () => {
    engine = await createLocalEngine({ log: createLogger({ name: 'test', level: 'silent' }) });
    if (!engine) throw new Error('The local engine is not installed');
    chunks = splitText(TEXT, { maxChars: 90 });
    for (const { start, end } of chunks)
      speech.push(await engine.synthesize({ text: TEXT.slice(start, end), profile: DEFAULT_PROFILE }));
  });
  afterAll(() => engine?.close());

  test('no joint clicks: its steps are smaller than the speech’s own', () => {
    const joiner = createJoiner({ sampleRate: RATE });
    const pieces = speech.map(({ samples }, i) => joiner.push(samples, chunks[i]?.boundary ?? 'sentence'));
    const joined = joinedSamples(pieces, joiner.finish());
    const own = Math.max(...speech.map(({ samples }) => largestStep(samples)));
    for (const { startSample, endSample } of pieces) {
      for (const joint of [startSample, endSample]) {
        expect(largestStep(joined.subarray(Math.max(0, joint - 50), joint + 50))).toBeLessThan(own / 3);
      }
      expect(Math.abs(joined[startSample] ?? 0)).toBeLessThan(0.01);
      expect(Math.abs(joined[endSample - 1] ?? 0)).toBeLessThan(0.01);
    }
    expect(joiner.length).toBe(joined.length);
  });

  test('offsets are exact: each word’s samples are the ones that were synthesized', () => {
    const joiner = createJoiner({ sampleRate: RATE });
    const pieces = speech.map(({ samples }, i) => joiner.push(samples, chunks[i]?.boundary ?? 'sentence'));
    const joined = joinedSamples(pieces, joiner.finish());
    let words = 0;
    speech.forEach(({ samples, words: timings }, i) => {
      const piece = pieces[i];
      if (!piece) throw new Error('missing piece');
      const placed = placeWords(timings, piece);
      timings.forEach((word, w) => {
        const at = placed[w]?.startSample ?? 0;
        const middle = Math.floor((word.endSample - word.startSample) / 2);
        for (let k = middle - 20; k < middle + 20; k++)
          expect(joined[at + k]).toBeCloseTo(samples[at - piece.shift + k] ?? 0, 5);
        words++;
      });
      expect(placed[0]?.startSample).toBeGreaterThanOrEqual(piece.startSample);
      expect(placed.at(-1)?.endSample).toBeLessThanOrEqual(piece.endSample);
    });
    expect(words).toBeGreaterThan(30);
  });

  test('pauses are as long as their boundary asks, however much silence a chunk brings along', () => {
    const padded = speech.map(({ samples }, i) => {
      const out = new Float32Array(samples.length + 5_000 * i);
      out.set(samples, 2_500 * i);
      return out;
    });
    const gaps = [speech.map(({ samples }) => samples), padded].map((sounds) => {
      const joiner = createJoiner({ sampleRate: RATE });
      const pieces = sounds.map((samples) => joiner.push(samples, 'sentence'));
      return pieces.slice(1).map(({ startSample }, i) => startSample - (pieces[i]?.endSample ?? 0));
    });
    expect(gaps[0]).toEqual(gaps[1]);
    expect(new Set(gaps[0]).size).toBe(1);
  });
});

test('a silent chunk adds no second pause, and nothing at all is silence', () => {
  const tone = Float32Array.from({ length: 4_000 }, (_, i) => 0.3 * Math.sin(i / 10));
  const joiner = createJoiner({ sampleRate: RATE });
  joiner.push(tone, 'sentence');
  const silent = joiner.push(new Float32Array(2_000), 'clause');
  expect(silent.endSample).toBe(silent.startSample);
  const empty = createJoiner({ sampleRate: RATE });
  empty.push(new Float32Array(0), 'paragraph');
  expect(empty.finish().every((sample) => sample === 0)).toBe(true);
});

test('a chunk that begins and ends in the middle of a sound does not click either', () => {
  const cut = Float32Array.from({ length: 4_000 }, (_, i) => 0.3 * Math.cos(i / 10));
  const joiner = createJoiner({ sampleRate: RATE });
  const pieces = [joiner.push(cut, 'word'), joiner.push(cut, 'sentence')];
  expect(largestStep(joinedSamples(pieces, joiner.finish()))).toBeLessThan(largestStep(cut) * 1.2);
});
