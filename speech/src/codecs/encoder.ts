import type { WasmMediaEncoder } from 'wasm-media-encoders';

import { createResampler } from '../dsp/resampler.ts';
import { FORMATS } from './formats.ts';
import type { AudioFormat, FormatInfo } from './formats.ts';
import { mp3InfoFrame } from './mp3-info-frame.ts';
import { encodeMulaw } from './mulaw.ts';
import { createWasmEncoder } from './wasm-modules.ts';
import { int16Bytes, toInt16, wavHeader } from './wav.ts';

/** A stream of encoded bytes. What `encode` and `finish` return belongs to the caller. */
export interface AudioEncoder {
  /** Mono samples, −1…1, at the encoder's input rate. May return no bytes yet. */
  encode(samples: Float32Array): Uint8Array;
  /** The last bytes; the encoder is spent. */
  finish(): Uint8Array;
}

export interface EncoderOptions {
  /**
   * Samples that will come in all, at the input rate. A WAV header then states its size, and an MP3 begins with the frame that lets
   * players skip the encoder's delay; other formats do not need it.
   */
  totalSamples?: number;
}

/** Encodes mono sound at `inputSampleRate` into `format`, resampling on the way. */
export async function createEncoder(
  format: AudioFormat,
  inputSampleRate: number,
  options: EncoderOptions = {},
): Promise<AudioEncoder> {
  const info = FORMATS[format];
  const resampler = createResampler(inputSampleRate, info.sampleRate);
  const sink = await createSink(info, inputSampleRate, options);
  let begun = false;
  const opened = (bytes: Uint8Array): Uint8Array => {
    if (begun) return bytes;
    begun = true;
    return concat(sink.header, bytes);
  };
  return {
    encode: (samples) => opened(sink.encode(resampler.process(samples))),
    finish: () => opened(concat(sink.encode(resampler.finish()), sink.finish())),
  };
}

interface Sink extends AudioEncoder {
  readonly header: Uint8Array;
}

const NONE = new Uint8Array(0);

async function createSink(info: FormatInfo, inputSampleRate: number, options: EncoderOptions): Promise<Sink> {
  const total =
    options.totalSamples === undefined ? null : Math.ceil((options.totalSamples * info.sampleRate) / inputSampleRate);
  switch (info.codec) {
    case 'mp3': {
      const encoder = await createWasmEncoder('audio/mpeg');
      const bitrate = info.bitrateKbps === 64 ? 64 : 128;
      const outputSampleRate = info.sampleRate === 22_050 ? 22_050 : 44_100;
      encoder.configure({ channels: 1, sampleRate: info.sampleRate, bitrate, outputSampleRate });
      return wasmSink(encoder, total === null ? NONE : mp3InfoFrame(outputSampleRate, total));
    }
    case 'vorbis': {
      const encoder = await createWasmEncoder('audio/ogg');
      encoder.configure({ channels: 1, sampleRate: info.sampleRate, vbrQuality: 4 });
      return wasmSink(encoder, NONE);
    }
    case 'wav':
      return { header: wavHeader(info.sampleRate, total), encode: pcm, finish: () => NONE };
    case 'pcm':
      return { header: NONE, encode: pcm, finish: () => NONE };
    case 'mulaw':
      return { header: NONE, encode: (samples) => encodeMulaw(toInt16(samples)), finish: () => NONE };
    default:
      return info.codec satisfies never;
  }
}

function pcm(samples: Float32Array): Uint8Array {
  return int16Bytes(toInt16(samples));
}

/** Longest piece handed to the WASM encoders at once: they allocate their buffers by the piece. */
const PIECE = 1 << 15;

function wasmSink(encoder: WasmMediaEncoder<'audio/mpeg'> | WasmMediaEncoder<'audio/ogg'>, header: Uint8Array): Sink {
  return {
    header,
    encode(samples) {
      const parts: Uint8Array[] = [];
      // The encoder owns what it returns: copied before the next call.
      for (let at = 0; at < samples.length; at += PIECE)
        parts.push(encoder.encode([samples.subarray(at, at + PIECE)]).slice());
      return concat(...parts);
    },
    finish: () => encoder.finalize().slice(),
  };
}

function concat(...parts: Uint8Array[]): Uint8Array {
  const filled = parts.filter((part) => part.length > 0);
  const [only] = filled;
  if (filled.length <= 1) return only ?? NONE;
  const out = new Uint8Array(filled.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of filled) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
