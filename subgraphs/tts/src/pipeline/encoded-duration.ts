import { type AudioFormat, FORMATS } from '@timbre/speech/codecs/formats';

/** Measures an encoded sound from its own bytes, as they come. */
export interface DurationMeter {
  add(bytes: Uint8Array): void;
  /** Whole milliseconds that a decoder gets out of it. */
  durationMs(): number;
}

const WAV_HEADER_BYTES = 44;

/**
 * MP3 here has a constant bitrate and no header frame, so that its size tells its length (encoder delay and padding
 * included); an Ogg page's header tells the samples up to its end (RFC 3533 §6, granule position).
 */
export function createDurationMeter(format: AudioFormat): DurationMeter {
  const { codec, sampleRate, bitrateKbps } = FORMATS[format];
  let bytes = 0;
  let granule = 0;
  const seconds: Record<typeof codec, () => number> = {
    mp3: () => (bytes * 8) / ((bitrateKbps ?? 128) * 1000),
    vorbis: () => granule / sampleRate,
    wav: () => (bytes - WAV_HEADER_BYTES) / 2 / sampleRate,
    pcm: () => bytes / 2 / sampleRate,
    mulaw: () => bytes / sampleRate,
  };
  return {
    add(piece) {
      bytes += piece.length;
      if (codec === 'vorbis') granule = lastGranule(piece) ?? granule;
    },
    durationMs: () => Math.round(seconds[codec]() * 1000),
  };
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
