import { createHash } from 'node:crypto';

/** The announcement of an upload of these bytes. */
export function announce(bytes: Uint8Array, fileName = 'sample.wav', mimeType = 'audio/wav') {
  return { fileName, mimeType, sizeBytes: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** A 16-bit mono WAV; `seconds` may claim more than `samples` holds. */
export function wav(
  samples: Int16Array,
  { sampleRate = 16_000, seconds = samples.length / sampleRate }: { sampleRate?: number; seconds?: number } = {},
): Uint8Array {
  const header = Buffer.alloc(44);
  const size = Math.round(seconds * sampleRate) * 2;
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + size, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(sampleRate, 24);
  header.writeUInt32LE(sampleRate * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(size, 40);
  return Buffer.concat([header, Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)]);
}
