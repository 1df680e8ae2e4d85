import { expect, test } from 'vitest';

import { pitchContour } from '../analysis/pitch.ts';
import { resample } from './resampler.ts';
import { timeStretch } from './time-stretch.ts';

const RATE = 22_050;

/** Something voice-like: harmonics of 150 Hz that swell and fade. */
const tone = Float32Array.from({ length: RATE * 2 }, (_, i) => {
  let value = 0;
  for (let h = 1; h < 15; h++) value += Math.sin((2 * Math.PI * 150 * h * i) / RATE) / h;
  return value * 0.1 * (1 + 0.5 * Math.sin((2 * Math.PI * 3 * i) / RATE));
});

test.each([0.6, 1.3, 2])('%d times as long at the same pitch', (factor) => {
  const out = timeStretch(tone, RATE, factor);
  expect(out.length).toBe(Math.round(tone.length * factor));
  const f0 = pitchContour(resample(out, RATE, 16_000))
    .filter((f) => f > 0)
    .toSorted();
  expect(f0[Math.floor(f0.length / 2)]).toBeCloseTo(150, -0.5);
});

test('sound that is shorter than two windows is left alone', () => {
  expect(timeStretch(tone.subarray(0, 500), RATE, 2).length).toBe(500);
});
