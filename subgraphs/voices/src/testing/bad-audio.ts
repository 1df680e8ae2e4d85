import { randomBytes } from 'node:crypto';
import { encodeWav } from '@timbre/speech/codecs/wav';

const FLAC_RATE = 8000;
const FLAC_BLOCK = 65_535;

/**
 * A FLAC file (RFC 9639) of constant subframes: each frame of 15 bytes decodes to 8 s of sound.
 * @param claimed whether STREAMINFO tells the length; a decoder that trusts it would see nothing coming otherwise.
 */
export function constantFlac(seconds: number, { claimed }: { claimed: boolean }): Buffer {
  const frames = Math.ceil((seconds * FLAC_RATE) / FLAC_BLOCK);
  const info = Buffer.alloc(4 + 4 + 34);
  info.write('fLaC');
  info.writeUInt32BE(0x8000_0022, 4); // last metadata block, STREAMINFO, 34 bytes
  info.writeUInt16BE(FLAC_BLOCK, 8);
  info.writeUInt16BE(FLAC_BLOCK, 10);
  const total = claimed ? BigInt(frames * FLAC_BLOCK) : 0n;
  // 20 bits of rate, 3 of channels - 1, 5 of bits per sample - 1, 36 of samples.
  info.writeBigUInt64BE((BigInt(FLAC_RATE) << 44n) | (15n << 36n) | total, 18);
  return Buffer.concat([info, ...Array.from({ length: frames }, (_, number) => constantFrame(number))]);
}

function constantFrame(number: number): Buffer {
  const head = Buffer.from([0xff, 0xf8, 0x74, 0x08, ...Buffer.from(String.fromCodePoint(number), 'utf8'), 0xff, 0xfe]);
  const frame = Buffer.concat([head, Buffer.from([crc(head, 8, 0x07), 0x00, 0x10, 0x00])]);
  const check = Buffer.alloc(2);
  check.writeUInt16BE(crc(frame, 16, 0x8005));
  return Buffer.concat([frame, check]);
}

function crc(bytes: Uint8Array, width: 8 | 16, polynomial: number): number {
  const top = 1 << (width - 1);
  const mask = 2 ** width - 1;
  let value = 0;
  for (const byte of bytes) {
    value ^= byte << (width - 8);
    for (let bit = 0; bit < 8; bit++) value = ((value & top) === 0 ? value << 1 : (value << 1) ^ polynomial) & mask;
  }
  return value;
}

/** A hum that no other call gives: 4 kHz, so that minutes of it are small. */
export function hum(seconds: number, level = 0.3): Uint8Array {
  const rate = 4000;
  const phase = randomBytes(4).readUInt32BE();
  return encodeWav(
    Float32Array.from({ length: seconds * rate }, (_, i) => level * Math.sin(phase + (2 * Math.PI * 150 * i) / rate)),
    rate,
  );
}
