import { type AudioFormat, FORMATS } from '@timbre/speech/codecs/formats';

/** Measures an encoded sound from its own bytes, as they come. */
export interface DurationMeter {
  add(bytes: Uint8Array): void;
  /** Whole milliseconds that a decoder gets out of it. */
  durationMs(): number;
}

const WAV_HEADER_BYTES = 44;

/**
 * MP3 here has a constant bitrate, so that its size tells its length; the frame before the sound tells how much of that
 * players skip (see speech's `mp3InfoFrame`). An Ogg page's header tells the samples up to its end (RFC 3533 §6,
 * granule position).
 */
export function createDurationMeter(format: AudioFormat): DurationMeter {
  const { codec, sampleRate, bitrateKbps } = FORMATS[format];
  let bytes = 0;
  let granule = 0;
  let skipped: Skipped = { bytes: 0, samples: 0 };
  const seconds: Record<typeof codec, () => number> = {
    mp3: () => ((bytes - skipped.bytes) * 8) / ((bitrateKbps ?? 128) * 1000) - skipped.samples / sampleRate,
    vorbis: () => granule / sampleRate,
    wav: () => (bytes - WAV_HEADER_BYTES) / 2 / sampleRate,
    pcm: () => bytes / 2 / sampleRate,
    mulaw: () => bytes / sampleRate,
  };
  return {
    add(piece) {
      if (codec === 'mp3' && bytes === 0) skipped = skippedByPlayers(piece);
      if (codec === 'vorbis') granule = lastGranule(piece) ?? granule;
      bytes += piece.length;
    },
    durationMs: () => Math.round(seconds[codec]() * 1000),
  };
}

interface Skipped {
  /** Of the frame that says so. */
  bytes: number;
  /** Encoder delay and padding. */
  samples: number;
}

const INFO = Buffer.from('Info', 'latin1');
/** From the tag's name to the 24 bits of delay and padding ("Mp3 Info Tag rev 1"), where it holds the frame count alone. */
const DELAY_OFFSET = 33;
/** Frame header bytes 1 to 2 of MPEG 1 and MPEG 2, layer 3, at this module's bitrates and rates. */
const FRAME_BYTES: Readonly<Record<number, number>> = { 0xfb90: 417, 0xf380: 208 };

function skippedByPlayers(start: Uint8Array): Skipped {
  const head = Buffer.from(start.buffer, start.byteOffset, Math.min(start.byteLength, 64));
  const tag = head.indexOf(INFO);
  const bytes = head.length < 4 ? undefined : FRAME_BYTES[head.readUInt16BE(1)];
  if (tag < 0 || bytes === undefined || tag + DELAY_OFFSET + 3 > head.length) return { bytes: 0, samples: 0 };
  const packed = head.readUIntBE(tag + DELAY_OFFSET, 3);
  return { bytes, samples: (packed >> 12) + (packed & 0xfff) };
}

const CAPTURE = Buffer.from('OggS\0', 'latin1');
const GRANULE_OFFSET = 6;
const NO_PACKET_ENDS = 0xffff_ffff_ffff_ffffn;

/** The encoder gives out whole pages, so that no header is cut in two. */
function lastGranule(piece: Uint8Array): number | null {
  const buffer = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
  for (let at = buffer.lastIndexOf(CAPTURE); at >= 0; at = at === 0 ? -1 : buffer.lastIndexOf(CAPTURE, at - 1)) {
    if (at + GRANULE_OFFSET + 8 > buffer.length) continue;
    const granule = buffer.readBigUInt64LE(at + GRANULE_OFFSET);
    if (granule !== NO_PACKET_ENDS) return Number(granule);
  }
  return null;
}
