const BIAS = 0x84;
const CLIP = 32_635;

/** G.711 µ-law of one 16-bit sample (ITU-T G.711; bits inverted as sent on the line). */
function mulawByte(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(sample), CLIP) + BIAS;
  const exponent = 31 - Math.clz32(magnitude) - 7;
  const mantissa = (magnitude >> (exponent + 3)) & 0x0f;
  return ~(sign | (exponent << 4) | mantissa) & 0xff;
}

/** One byte for each sample. */
export function encodeMulaw(samples: Int16Array): Uint8Array {
  const out = new Uint8Array(samples.length);
  for (let i = 0; i < samples.length; i++) out[i] = mulawByte(samples[i] ?? 0);
  return out;
}

/** 16-bit samples of µ-law bytes. */
export function decodeMulaw(bytes: Uint8Array): Int16Array {
  const out = new Int16Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    const code = ~(bytes[i] ?? 0xff) & 0xff;
    const magnitude = ((((code & 0x0f) << 3) + BIAS) << ((code >> 4) & 7)) - BIAS;
    out[i] = code & 0x80 ? -magnitude : magnitude;
  }
  return out;
}
