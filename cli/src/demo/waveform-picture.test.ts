import { expect, test } from 'vitest';
import { waveformPicture } from './waveform-picture.ts';

test('draws any text and length as a PNG', () => {
  const sampleRate = 22_050;
  const samples = Float32Array.from(
    { length: sampleRate * 25 },
    (_, i) => Math.sin(i / 20) * (((i / 3000) | 0) % 2 ? 0.9 : 0.1),
  );
  const words = ['Hello', '<b>&', 'שלום', '🎉', '\u0007bell'].map((text, i) => ({
    text,
    startMs: i * 5000,
    endMs: i * 5000 + 700,
  }));
  const png = Buffer.from(waveformPicture({ title: 'A & B', note: 'note', samples, sampleRate, words }));
  expect(png.subarray(1, 4).toString()).toBe('PNG');
  // Three rows of twelve seconds: the height is in the IHDR chunk.
  expect(png.readUInt32BE(20)).toBe(70 + 3 * 170 + 30);
});
