import { expect, test } from 'vitest';

import { EQUALIZER_BANDS } from '../analysis/bands.ts';
import { createEqualizer } from './equalizer.ts';

const RATE = 22_050;

function sine(hz: number): Float32Array {
  return Float32Array.from({ length: RATE }, (_, i) => 0.1 * Math.sin((2 * Math.PI * hz * i) / RATE));
}

function rms(samples: Float32Array): number {
  let sum = 0;
  const middle = samples.subarray(4_000, -4_000);
  for (const sample of middle) sum += sample * sample;
  return Math.sqrt(sum / middle.length);
}

test('each band has its gain', () => {
  const gains = EQUALIZER_BANDS.map((_, band) => (band % 10 < 5 ? 9 : -9));
  const equalize = createEqualizer(gains, RATE);
  // Middles of the runs of equal gain, above the filter's own resolution.
  for (const band of [17, 22, 27, 32, 37]) {
    const hz = EQUALIZER_BANDS[band] ?? 0;
    expect(20 * Math.log10(rms(equalize(sine(hz))) / rms(sine(hz)))).toBeCloseTo(gains[band] ?? 0, 0);
  }
});

test('nothing moves in time and the length is kept', () => {
  const click = new Float32Array(10_000);
  click[5_000] = 1;
  const out = createEqualizer(
    EQUALIZER_BANDS.map((_, band) => 6 * Math.sin(band)),
    RATE,
  )(click);
  expect(out.length).toBe(click.length);
  const peak = out.reduce((best, value, i) => (Math.abs(value) > Math.abs(out[best] ?? 0) ? i : best), 0);
  expect(peak).toBe(5_000);
  // Linear phase: the same on both sides.
  for (let i = 1; i < 500; i++) expect(out[5_000 + i]).toBeCloseTo(out[5_000 - i] ?? 0, 6);
});

test('a flat equalizer gives the very samples back', () => {
  const input = sine(440);
  expect(
    createEqualizer(
      EQUALIZER_BANDS.map(() => 0),
      RATE,
    )(input),
  ).toBe(input);
});
