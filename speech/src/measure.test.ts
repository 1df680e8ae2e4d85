import { expect, test } from 'vitest';

import { createLoudnessMeter, measureLoudness } from './measure.ts';

function sine(hz: number, rate: number, seconds: number, amplitude: number): Float32Array {
  return Float32Array.from({ length: rate * seconds }, (_, i) => amplitude * Math.sin((2 * Math.PI * hz * i) / rate));
}

test('a 997 Hz sine at full scale is −3.01 LUFS, whatever the rate (BS.1770-5 §3)', () => {
  for (const rate of [22_050, 44_100, 48_000]) {
    const { lufs, peak, rmsDb, durationMs } = measureLoudness(sine(997, rate, 3, 1), rate);
    expect(lufs).toBeCloseTo(-3.01, 1);
    expect(rmsDb).toBeCloseTo(-3.01, 2);
    expect(peak).toBeCloseTo(1, 3);
    expect(durationMs).toBe(3_000);
  }
});

test('silence is gated away, and pieces measure as the whole', () => {
  const rate = 22_050;
  const voice = sine(300, rate, 2, 0.2);
  const meter = createLoudnessMeter(rate);
  for (let at = 0; at < voice.length; at += 777) meter.add(voice.subarray(at, at + 777));
  meter.add(new Float32Array(rate * 4));
  expect(meter.result().lufs).toBeCloseTo(measureLoudness(voice, rate).lufs, 0);
  expect(measureLoudness(new Float32Array(rate), rate).lufs).toBe(-Infinity);
});
