import { execFileSync } from 'node:child_process';

import decode from 'audio-decode';
import { describe, expect, test } from 'vitest';

import { resample } from '../dsp/resampler.ts';
import { createEncoder } from './encoder.ts';
import { AUDIO_FORMATS, FORMATS } from './formats.ts';
import type { AudioFormat } from './formats.ts';
import { decodeMulaw, encodeMulaw } from './mulaw.ts';
import { decodeWav, encodeWav } from './wav.ts';

const RATE = 22_050;
/** Three voice-like seconds: a buzz with moving formants, and pauses. */
const SPEECH = Float32Array.from({ length: RATE * 3 }, (_, i) => {
  const t = i / RATE;
  let value = 0;
  for (let h = 1; h < 20; h++)
    value += Math.sin(2 * Math.PI * 140 * h * t) / (1 + Math.abs(h * 140 - 900 - 400 * Math.sin(7 * t)) / 150);
  return 0.08 * value * Math.max(0, Math.sin(2 * Math.PI * 1.5 * t));
});

async function encoded(format: AudioFormat, samples: Float32Array, piece: number): Promise<Uint8Array> {
  const encoder = await createEncoder(format, RATE, { totalSamples: samples.length });
  const parts: Uint8Array[] = [];
  for (let at = 0; at < samples.length; at += piece) parts.push(encoder.encode(samples.subarray(at, at + piece)));
  parts.push(encoder.finish());
  return Buffer.concat(parts);
}

async function decoded(format: AudioFormat, bytes: Uint8Array): Promise<{ samples: Float32Array; sampleRate: number }> {
  const { codec, sampleRate } = FORMATS[format];
  if (codec === 'wav') return decodeWav(bytes);
  if (codec === 'mulaw')
    return { samples: Float32Array.from(decodeMulaw(bytes), (value) => value / 32_768), sampleRate };
  if (codec === 'pcm') {
    const values = new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    return { samples: Float32Array.from(values, (value) => value / 32_767), sampleRate };
  }
  const audio = await decode(bytes);
  return { samples: audio.channelData[0] ?? new Float32Array(0), sampleRate: audio.sampleRate };
}

/** Correlation of half a second of what was encoded with what comes out at the same place. */
function likeness(a: Float32Array, b: Float32Array, rate: number): number {
  let product = 0;
  let left = 0;
  let right = 0;
  for (let i = rate; i < rate * 1.5; i++) {
    const x = a[i] ?? 0;
    const y = b[i] ?? 0;
    product += x * y;
    left += x * x;
    right += y * y;
  }
  return product / Math.sqrt(left * right);
}

describe.each(AUDIO_FORMATS)('%s', (format) => {
  test('sounds like what was encoded, at the rate it says and at the same times', async () => {
    const { samples, sampleRate } = await decoded(format, await encoded(format, SPEECH, 5_000));
    expect(sampleRate).toBe(FORMATS[format].sampleRate);
    expect(samples.length).toBe(sampleRate * 3);
    expect(likeness(resample(SPEECH, RATE, sampleRate), samples, sampleRate)).toBeGreaterThan(0.99);
  });

  test('does not depend on how the sound is cut into pieces', async () => {
    const [whole, pieces] = await Promise.all([encoded(format, SPEECH, SPEECH.length), encoded(format, SPEECH, 333)]);
    const a = await decoded(format, whole);
    const b = await decoded(format, pieces);
    expect(b.samples.length).toBe(a.samples.length);
    expect(likeness(a.samples, b.samples, a.sampleRate)).toBeGreaterThan(0.9999);
  });

  test('an empty sound is a valid file', async () => {
    const bytes = await encoded(format, new Float32Array(0), 1);
    const { codec } = FORMATS[format];
    if (codec === 'wav') expect(decodeWav(bytes).samples.length).toBe(0);
    else expect(bytes.length).toBeLessThan(10_000);
  });
});

test('a WAV states its size where the number of samples is known, and that it is a stream where not', async () => {
  const known = await encoded('WAV_44100', SPEECH, 4_000);
  expect(Buffer.from(known).readUInt32LE(40)).toBe(known.length - 44);
  const encoder = await createEncoder('WAV_44100', RATE);
  const streamed = Buffer.concat([encoder.encode(SPEECH), encoder.finish()]);
  expect(streamed.readUInt32LE(40)).toBe(0xffff_ffff);
  expect(decodeWav(streamed).samples.length).toBe(SPEECH.length * 2);
});

test('chunk files come back to within a 16-bit step, and damaged ones are refused', () => {
  const file = encodeWav(SPEECH, RATE);
  const { samples, sampleRate } = decodeWav(file);
  expect(sampleRate).toBe(RATE);
  expect(samples.length).toBe(SPEECH.length);
  for (let i = 0; i < samples.length; i += 101)
    expect(Math.abs((samples[i] ?? 0) - (SPEECH[i] ?? 0))).toBeLessThan(1 / 32_767);
  expect(() => decodeWav(file.subarray(0, 1_000))).toThrow(expect.objectContaining({ code: 'AUDIO_TRUNCATED' }));
  expect(() => decodeWav(new TextEncoder().encode('no sound at all'))).toThrow(
    expect.objectContaining({ code: 'AUDIO_UNREADABLE' }),
  );
});

test('samples beyond full scale are clipped, not wrapped', () => {
  const { samples } = decodeWav(encodeWav(Float32Array.of(2, -2, 1, -1, 0), RATE));
  expect(Array.from(samples).map((value) => Math.round(value * 100) / 100)).toEqual([1, -1, 1, -1, 0]);
});

test('µ-law is G.711 to the bit', () => {
  // ITU-T G.711 table 2a: the ends of segments, and the smallest steps.
  expect(Array.from(encodeMulaw(Int16Array.of(0, -1, 32_635, -32_635, 8, 1_000, -1_000)))).toEqual([
    0xff, 0x7f, 0x80, 0x00, 0xfe, 0xce, 0x4e,
  ]);
  for (let code = 0; code < 256; code++) {
    // Two codes stand for zero.
    const again = encodeMulaw(decodeMulaw(Uint8Array.of(code)))[0];
    expect(again === code || (code === 0x7f && again === 0xff)).toBe(true);
  }
});

test('every format is accepted by an independent decoder where one is installed', async ({ skip }) => {
  try {
    execFileSync('ffprobe', ['-version'], { stdio: 'ignore' });
  } catch {
    skip('ffprobe is not installed');
  }
  for (const format of AUDIO_FORMATS.filter((each) => ['mp3', 'vorbis', 'wav'].includes(FORMATS[each].codec))) {
    const out = execFileSync(
      'ffprobe',
      ['-v', 'error', '-show_entries', 'stream=sample_rate,channels', '-of', 'csv=p=0', '-'],
      {
        input: await encoded(format, SPEECH, 10_000),
      },
    );
    expect(out.toString().trim()).toBe(`${String(FORMATS[format].sampleRate)},1`);
  }
});
