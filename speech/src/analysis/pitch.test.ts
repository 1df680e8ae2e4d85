import { expect, test } from 'vitest';

import { ANALYSIS_RATE } from './bands.ts';
import { pitchContour } from './pitch.ts';

function harmonics(hz: (t: number) => number, seconds: number): Float32Array {
  let phase = 0;
  return Float32Array.from({ length: ANALYSIS_RATE * seconds }, (_, i) => {
    const f = hz(i / ANALYSIS_RATE);
    phase += (2 * Math.PI * f) / ANALYSIS_RATE;
    let value = 0;
    for (let h = 1; h * f < 4_000; h++) value += Math.cos(phase * h + h * h) / h;
    return value * 0.1;
  });
}

test.each([80, 120.5, 203.7, 310, 420])('a steady voice at %d Hz', (hz) => {
  const voiced = pitchContour(harmonics(() => hz, 1))
    .filter((f) => f > 0)
    .toSorted();
  expect(voiced.length).toBeGreaterThan(90);
  expect(Math.abs(12 * Math.log2((voiced[Math.floor(voiced.length / 2)] ?? 0) / hz))).toBeLessThan(0.06);
});

test('a glide is followed without octave errors', () => {
  const contour = pitchContour(harmonics((t) => 120 + 60 * t, 2));
  for (let frame = 10; frame < 190; frame++)
    expect(Math.abs(12 * Math.log2((contour[frame] ?? 0) / (120 + 0.6 * frame)))).toBeLessThan(0.5);
});

test('silence and noise have no pitch', () => {
  expect(pitchContour(new Float32Array(8_000)).every((f) => f === 0)).toBe(true);
  let state = 1;
  const noise = Float32Array.from({ length: 16_000 }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return (state / 2_147_483_647 - 0.5) * 0.2;
  });
  const share = pitchContour(noise).filter((f) => f > 0).length / 100;
  expect(share).toBeLessThan(0.1);
});
