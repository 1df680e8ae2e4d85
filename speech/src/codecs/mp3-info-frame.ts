/** What LAME puts before the first sample, at the encoder's rate. */
const ENCODER_DELAY = 576;

interface Layout {
  /** Of a frame without padding: version, layer 3, bit rate, sample rate, mono. */
  header: readonly [number, number, number, number];
  frameBytes: number;
  frameSamples: number;
  sideInfoBytes: number;
}

/** The two kinds of MP3 that are made here. */
const LAYOUTS: Record<44_100 | 22_050, Layout> = {
  44_100: { header: [0xff, 0xfb, 0x90, 0xc4], frameBytes: 417, frameSamples: 1_152, sideInfoBytes: 17 },
  22_050: { header: [0xff, 0xf3, 0x80, 0xc4], frameBytes: 208, frameSamples: 576, sideInfoBytes: 9 },
};

/**
 * The silent first frame in which an encoder tells players how much of its output is not the sound ("Mp3 Info Tag rev 1",
 * gabriel.mp3-tech.org/mp3infotag.html): they skip 25 to 50 ms at the beginning, and timings then hold to the sample. The WASM
 * encoder leaves it out. `samples` is the sound's length at `sampleRate`.
 */
export function mp3InfoFrame(sampleRate: 44_100 | 22_050, samples: number): Uint8Array {
  const { header, frameBytes, frameSamples, sideInfoBytes } = LAYOUTS[sampleRate];
  // As LAME's flush fills the last frame (lame_encode_flush in lame.c).
  const filled = frameSamples - ((samples + ENCODER_DELAY) % frameSamples);
  const padding = filled < ENCODER_DELAY ? filled + frameSamples : filled;
  const frames = (samples + ENCODER_DELAY + padding) / frameSamples;
  const frame = new Uint8Array(frameBytes);
  const view = new DataView(frame.buffer);
  const ascii = (at: number, text: string): void => frame.set(new TextEncoder().encode(text), at);
  frame.set(header);
  const tag = 4 + sideInfoBytes;
  ascii(tag, 'Info');
  const framesOnly = 1;
  view.setUint32(tag + 4, framesOnly);
  view.setUint32(tag + 8, frames);
  const lame = tag + 12;
  ascii(lame, 'LAME3.100');
  const constantBitRate = 1;
  frame[lame + 9] = constantBitRate;
  // 12 bits each.
  frame[lame + 21] = ENCODER_DELAY >> 4;
  frame[lame + 22] = ((ENCODER_DELAY & 15) << 4) | (padding >> 8);
  frame[lame + 23] = padding & 255;
  return frame;
}
