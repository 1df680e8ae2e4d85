import { expect, test } from 'vitest';

import { createResampler, resample } from './resampler.ts';

function sine(hz: number, rate: number, seconds: number): Float32Array {
  return Float32Array.from(
    { length: Math.round(rate * seconds) },
    (_, i) => 0.5 * Math.sin((2 * Math.PI * hz * i) / rate),
  );
}

/** Amplitude of one frequency, away from the edges. */
function amplitude(samples: Float32Array, hz: number, rate: number): number {
  const edge = Math.round(rate * 0.05);
  let re = 0;
  let im = 0;
  let count = 0;
  for (let i = edge; i < samples.length - edge; i++) {
    re += (samples[i] ?? 0) * Math.cos((2 * Math.PI * hz * i) / rate);
    im += (samples[i] ?? 0) * Math.sin((2 * Math.PI * hz * i) / rate);
    count++;
  }
  return (2 * Math.hypot(re, im)) / count;
}

test.each([
  [22_050, 44_100],
  [44_100, 16_000],
  [22_050, 8_000],
  [107, 100],
  [93, 100],
])('%i to %i: every sample is where it was, and the number is exact', (from, to) => {
  // A whole number of periods in the window that amplitude() looks at is not needed at this length.
  const rate = from < 1_000 ? 22_050 : from;
  const out = resample(sine(440, rate, 1), from, to);
  const outRate = (rate * to) / from;
  expect(out.length).toBe(Math.ceil((rate * to) / from));
  let worst = 0;
  for (let i = 200; i < out.length - 200; i++) {
    worst = Math.max(worst, Math.abs((out[i] ?? 0) - 0.5 * Math.sin((2 * Math.PI * 440 * i) / outRate)));
  }
  expect(worst).toBeLessThan(0.001);
});

test('what the lower rate cannot carry is taken out instead of folded back', () => {
  // 5 kHz would fold to 3 kHz at 8 kHz.
  const out = resample(sine(5_000, 22_050, 1), 22_050, 8_000);
  expect(amplitude(out, 3_000, 8_000)).toBeLessThan(0.5 * 10 ** (-70 / 20));
});

test('no images of the lower rate appear in the higher one', () => {
  const out = resample(sine(8_000, 22_050, 1), 22_050, 44_100);
  expect(amplitude(out, 8_000, 44_100)).toBeCloseTo(0.5, 2);
  expect(amplitude(out, 22_050 - 8_000, 44_100)).toBeLessThan(0.5 * 10 ** (-70 / 20));
});

test('pieces of any size give the same samples as the whole', () => {
  const input = sine(313, 22_050, 0.5);
  const whole = resample(input, 22_050, 44_100);
  const resampler = createResampler(22_050, 44_100);
  const pieces: Float32Array[] = [];
  for (let at = 0, size = 1; at < input.length; at += size, size = ((size * 7) % 997) + 1)
    pieces.push(resampler.process(input.subarray(at, at + size)));
  pieces.push(resampler.finish());
  expect(Float32Array.from(pieces.flatMap((piece) => Array.from(piece)))).toEqual(whole);
});

test('an empty sound stays empty', () => {
  expect(resample(new Float32Array(0), 22_050, 44_100).length).toBe(0);
});
