import { createEncoder } from '@timbre/speech/codecs/encoder';
import { decodeWav, encodeWav } from '@timbre/speech/codecs/wav';
import { afterAll, describe, expect, test } from 'vitest';
import { createEncoderPool, type Encoding } from './encoder-pool.ts';

const pool = createEncoderPool();
afterAll(() => pool.close());

const RATE = 22_050;
const tone = (seconds: number, hertz: number) =>
  encodeWav(
    Float32Array.from({ length: RATE * seconds }, (_, i) => 0.4 * Math.sin((2 * Math.PI * hertz * i) / RATE)),
    RATE,
  );

async function* each(wavs: readonly Uint8Array[]) {
  for (const wav of wavs) yield Uint8Array.from(wav);
}

async function collect(encoding: Encoding) {
  const parts: Uint8Array[] = [];
  for await (const part of encoding.bytes) parts.push(part);
  return { bytes: Buffer.concat(parts), durationMs: encoding.durationMs() };
}

const request = (wavs: readonly Uint8Array[], format: 'MP3_22050_64' | 'WAV_44100' | 'OGG_VORBIS_44100') => {
  const totalSamples = wavs.reduce((sum, wav) => sum + decodeWav(wav).samples.length, 0);
  return { format, sampleRate: RATE, totalSamples, wavs: each(wavs) } as const;
};

describe('the encoder pool', () => {
  test.each(['MP3_22050_64', 'WAV_44100', 'OGG_VORBIS_44100'] as const)(
    'gives the same %s as the encoder itself',
    async (format) => {
      const wavs = [tone(2, 440), tone(1, 220)];
      const encoder = await createEncoder(format, RATE, { totalSamples: 3 * RATE });
      const expected = Buffer.concat([...wavs.map((wav) => encoder.encode(decodeWav(wav).samples)), encoder.finish()]);
      const { bytes, durationMs } = await collect(pool.encode(request(wavs, format)));
      // Ogg streams bear a serial number of their own, and with it other checksums.
      const comparable = format === 'OGG_VORBIS_44100' ? (part: Buffer) => part.length : (part: Buffer) => part;
      expect(comparable(bytes)).toEqual(comparable(expected));
      expect(Math.abs(durationMs - 3000)).toBeLessThan(100);
    },
  );

  test('keeps the sounds of many at once apart', async () => {
    const wavs = [200, 300, 400, 500].map((hertz) => [tone(1, hertz), tone(1, hertz)]);
    const alone: Awaited<ReturnType<typeof collect>>[] = [];
    for (const wav of wavs) alone.push(await collect(pool.encode(request(wav, 'MP3_22050_64'))));
    const together = await Promise.all(wavs.map((wav) => collect(pool.encode(request(wav, 'MP3_22050_64')))));
    together.forEach(({ bytes }, i) => expect(bytes.equals(alone[i]?.bytes ?? Buffer.alloc(0))).toBe(true));
    expect(new Set(together.map(({ bytes }) => bytes.toString('base64'))).size).toBe(4);
  });

  test('fails what cannot be read, and nothing else', async () => {
    const bad = { ...request([tone(1, 440)], 'MP3_22050_64'), wavs: each([Buffer.from('no wav at all')]) };
    await expect(collect(pool.encode(bad))).rejects.toThrow('could not be encoded');
    expect((await collect(pool.encode(request([tone(1, 440)], 'MP3_22050_64')))).bytes.length).toBeGreaterThan(5000);
  });

  test('encodes on a thread of its own, so that the event loop goes on', async () => {
    // CPU time, not the clock: how busy the machine is must not matter.
    const [own, all] = [process.threadCpuUsage(), process.cpuUsage()];
    await collect(pool.encode(request([tone(30, 440), tone(30, 330)], 'MP3_22050_64')));
    const [ownSpent, allSpent] = [process.threadCpuUsage(own), process.cpuUsage(all)];
    expect((ownSpent.user + ownSpent.system) / (allSpent.user + allSpent.system)).toBeLessThan(0.5);
  });
});
