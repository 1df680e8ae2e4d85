import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createEncoder } from '../codecs/encoder.ts';
import { encodeWav, wavHeader } from '../codecs/wav.ts';
import { decodeRecording } from './decode-recording.ts';

const LENA = dirname(createRequire(import.meta.url).resolve('audio-lena'));
const SECONDS = 12.272;
const FILES = [
  'lena.wav',
  'lena.flac',
  'lena.mp3',
  'lena.ogg',
  'lena.opus',
  'lena.m4a',
  'lena.webm',
  'lena-vorbis.webm',
];

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'timbre-decode-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe.each(FILES)('%s', (file) => {
  test('is decoded whole, from a path and whatever its name', async () => {
    const disguised = join(directory, `${file}.txt`);
    await writeFile(disguised, await readFile(join(LENA, file)));
    const recording = await decodeRecording(disguised);
    expect(recording.container).toBe(file.includes('webm') ? 'webm' : file.replace('lena.', ''));
    expect(Math.abs(recording.durationMs / 1000 - SECONDS)).toBeLessThan(0.05);
    expect(recording.sampleRate).toBe(24_000);
    expect(Math.abs(recording.samples.length / 24 - recording.durationMs)).toBeLessThan(1);
    expect(recording.rmsDb).toBeGreaterThan(-25);
    expect(recording.peak).toBeLessThanOrEqual(1);
  });

  test('cut short it is refused as truncated', async () => {
    const bytes = await readFile(join(LENA, file));
    await expect(decodeRecording(bytes.subarray(0, Math.floor(bytes.length * 0.6)))).rejects.toMatchObject({
      code: 'AUDIO_TRUNCATED',
    });
  });

  test('longer than allowed it is refused, with the limit and what was sent', async () => {
    const refused = decodeRecording(join(LENA, file), { maxSeconds: 5 });
    await expect(refused).rejects.toMatchObject({ code: 'AUDIO_TOO_LONG', details: { limitSeconds: 5 } });
    await expect(refused).rejects.toThrow(/at most 5 s; it (claims|holds at least) \d/);
  });
});

test('what is no audio is refused, and the answer says what is accepted', async () => {
  const refused = { code: 'AUDIO_UNREADABLE', message: expect.stringContaining('Accepted are wav, flac, mp3') };
  await expect(decodeRecording(new Uint8Array(0))).rejects.toMatchObject(refused);
  await expect(decodeRecording(new TextEncoder().encode('<html>not a sound</html>'.repeat(100)))).rejects.toMatchObject(
    refused,
  );
  await expect(decodeRecording(join(LENA, 'lena.aiff'))).rejects.toMatchObject({
    ...refused,
    details: { found: 'audio/aiff' },
  });
  await expect(
    decodeRecording(Buffer.concat([Buffer.from('RIFF\u0004\u0000\u0000\u0000WAVE'), Buffer.alloc(50)])),
  ).rejects.toMatchObject({ code: expect.stringMatching(/^AUDIO_(UNREADABLE|TRUNCATED)$/) });
  // Right at the beginning, rubbish after it.
  const flac = await readFile(join(LENA, 'lena.flac'));
  flac.fill(0x55, 60);
  await expect(decodeRecording(flac)).rejects.toMatchObject({
    code: expect.stringMatching(/^AUDIO_(UNREADABLE|TRUNCATED)$/),
  });
});

test('silence is refused, and so is what is nearly silent', async () => {
  await expect(decodeRecording(encodeWav(new Float32Array(48_000), 24_000))).rejects.toMatchObject({
    code: 'AUDIO_SILENT',
  });
  const faint = Float32Array.from({ length: 48_000 }, (_, i) => 0.001 * Math.sin(i / 10));
  await expect(decodeRecording(encodeWav(faint, 24_000))).rejects.toMatchObject({ code: 'AUDIO_SILENT' });
});

test('too many bytes are refused before they are read', async () => {
  const bytes = encodeWav(
    Float32Array.from({ length: 48_000 }, (_, i) => Math.sin(i / 10)),
    24_000,
  );
  const path = join(directory, 'large.wav');
  await writeFile(path, bytes);
  for (const source of [bytes, path]) {
    await expect(decodeRecording(source, { maxBytes: 1_000 })).rejects.toMatchObject({
      code: 'AUDIO_TOO_LARGE',
      details: { limitBytes: 1_000, sentBytes: bytes.length },
    });
  }
});

test('a float file with NaN and infinities is decoded to numbers', async () => {
  const floats = Float32Array.from({ length: 24_000 }, (_, i) =>
    i % 100 === 0 ? Number.NaN : i % 101 === 0 ? Infinity : 0.3 * Math.sin(i / 20),
  );
  const header = Buffer.from(wavHeader(24_000, floats.length * 2));
  header.writeUInt16LE(3, 20);
  header.writeUInt32LE(24_000 * 4, 28);
  header.writeUInt16LE(4, 32);
  header.writeUInt16LE(32, 34);
  const { samples } = await decodeRecording(Buffer.concat([header, Buffer.from(floats.buffer)]));
  expect(samples.every((sample) => Number.isFinite(sample))).toBe(true);
});

describe('bombs', () => {
  const limits = { maxSeconds: 60, maxMs: 20_000 };

  test('minutes of nothing as FLAC, small enough for a mail', async () => {
    await expect(decodeRecording(flacOfSilence({ claimedSamples: 0, frames: 2_500 }), limits)).rejects.toMatchObject({
      code: 'AUDIO_TOO_LONG',
    });
  });

  test('a FLAC that claims a day', async () => {
    const begun = performance.now();
    await expect(
      decodeRecording(flacOfSilence({ claimedSamples: 44_100 * 86_400, frames: 1 }), limits),
    ).rejects.toMatchObject({
      code: 'AUDIO_TOO_LONG',
      details: { sentSeconds: 86_400 },
    });
    expect(performance.now() - begun).toBeLessThan(15_000);
  });

  test.each(['MP3_22050_64', 'OGG_VORBIS_44100'] as const)('a minute and a half of nothing as %s', async (format) => {
    const encoder = await createEncoder(format, 22_050);
    const parts: Uint8Array[] = [];
    const second = new Float32Array(22_050);
    for (let i = 0; i < 90; i++) parts.push(encoder.encode(second));
    parts.push(encoder.finish());
    await expect(decodeRecording(Buffer.concat(parts), limits)).rejects.toMatchObject({ code: 'AUDIO_TOO_LONG' });
  });

  test('a process that takes too much memory is ended', async () => {
    await expect(decodeRecording(join(LENA, 'lena.wav'), { maxMemory: 20 * 1024 ** 2 })).rejects.toMatchObject({
      code: 'AUDIO_TOO_LARGE',
      details: { limitBytes: 20 * 1024 ** 2 },
    });
  });

  test('one that takes too much time is ended', async () => {
    await expect(decodeRecording(join(LENA, 'lena.wav'), { maxMs: 1 })).rejects.toMatchObject({
      code: 'AUDIO_UNREADABLE',
      details: { limitMs: 1 },
    });
  });

  test('an abort ends it', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    const decoding = decodeRecording(join(LENA, 'lena.wav'), { signal: controller.signal });
    controller.abort(reason);
    await expect(decoding).rejects.toBe(reason);
  });
});

/** FLAC frames of 4,096 constant samples (RFC 9639): 8 bits are enough for any number of them. */
function flacOfSilence({ claimedSamples, frames }: { claimedSamples: number; frames: number }): Uint8Array {
  const BLOCK = 4_096;
  const info = Buffer.alloc(34);
  info.writeUInt16BE(BLOCK, 0);
  info.writeUInt16BE(BLOCK, 2);
  // 44,100 Hz, one channel, 16 bits, then 36 bits of sample count.
  const packed = (44_100n << 44n) | (0n << 41n) | (15n << 36n) | BigInt(claimedSamples);
  info.writeBigUInt64BE(packed, 10);
  const parts: Buffer[] = [Buffer.from('fLaC'), Buffer.from([0x80, 0, 0, 34]), info];
  for (let frame = 0; frame < frames; frame++) {
    const number = frame < 0x80 ? [frame] : [0xc0 | (frame >> 6), 0x80 | (frame & 0x3f)];
    if (frame >= 0x800) number.splice(0, 2, 0xe0 | (frame >> 12), 0x80 | ((frame >> 6) & 0x3f), 0x80 | (frame & 0x3f));
    // Sync, fixed block size of 4,096 at 44.1 kHz, mono of 16 bits.
    const header = [0xff, 0xf8, 0xc9, 0x08, ...number];
    header.push(crc8(header));
    // One constant subframe of value 0.
    const body = [...header, 0x00, 0x00, 0x00];
    const crc = crc16(body);
    parts.push(Buffer.from([...body, crc >> 8, crc & 0xff]));
  }
  return Buffer.concat(parts);
}

function crc8(bytes: readonly number[]): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80 ? ((crc << 1) ^ 0x07) & 0xff : (crc << 1) & 0xff;
  }
  return crc;
}

function crc16(bytes: readonly number[]): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x8005) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}
