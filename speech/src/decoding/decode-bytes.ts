import { AppError } from '@timbre/platform/errors';
import decode from 'audio-decode';
import type { AudioData, StreamDecoder } from 'audio-decode';

import { createResampler } from '../dsp/resampler.ts';
import type { Resampler } from '../dsp/resampler.ts';
import { measureLoudness } from '../measure.ts';
import { detectContainer, unreadable } from './container.ts';
import type { Container } from './container.ts';
import { MAX_DECODED_RATE } from './decoded-recording.ts';
import type { DecodedRecording } from './decoded-recording.ts';
import { readClaims } from './integrity.ts';

/** Fed to the decoder at once: small, so that a bomb is noticed soon; smaller ones make the FLAC decoder lose frames. */
const PIECE = 4096;
const MIN_RATE = 4_000;
const MAX_RATE = 384_000;
const MAX_CHANNELS = 16;
/** A recording whose loudest tenth of a second is softer than this is silent, dB. */
const SILENT_DB = -55;
/** So much less than it claims is a file's rounding; more is a cut. */
const SHORTFALL_SECONDS = 0.25;
const SHORTFALL_SHARE = 0.02;

/** Decodes in this process and thread; for hostile input use `decodeRecording`. Throws its errors. */
export async function decodeBytes(bytes: Uint8Array, maxSeconds: number): Promise<DecodedRecording> {
  const container = await detectContainer(bytes);
  const claims = await readClaims(bytes, container);
  if (claims.seconds !== null && claims.seconds > maxSeconds) throw tooLong(claims.seconds, maxSeconds, 'it claims');
  if (claims.cut) throw truncated('it ends before its structure does');
  const { samples, rate, channels, fileRate } = await decodeAll(bytes, container, maxSeconds);
  const seconds = samples.length / rate;
  if (claims.seconds !== null && seconds < claims.seconds * (1 - SHORTFALL_SHARE) - SHORTFALL_SECONDS) {
    throw truncated(`it claims ${claims.seconds.toFixed(1)} s and holds ${seconds.toFixed(1)} s`);
  }
  if (isSilent(samples, rate)) {
    throw new AppError(
      'AUDIO_SILENT',
      `The recording is silent: nothing in its ${seconds.toFixed(1)} s is louder than ${String(SILENT_DB)} dB.`,
      {
        details: { thresholdDb: SILENT_DB, durationMs: Math.round(seconds * 1000) },
      },
    );
  }
  const { peak, rmsDb } = measureLoudness(samples, rate);
  return {
    samples,
    sampleRate: rate,
    durationMs: Math.round(seconds * 1000),
    container: container.name,
    contentType: container.contentType,
    channels,
    fileSampleRate: fileRate,
    peak,
    rmsDb,
  };
}

interface Sound {
  samples: Float32Array;
  rate: number;
  channels: number;
  fileRate: number;
}

interface Format {
  fileRate: number;
  rate: number;
  channels: number;
  resampler: Resampler;
}

async function decodeAll(bytes: Uint8Array, container: Container, maxSeconds: number): Promise<Sound> {
  const pieces: Float32Array[] = [];
  let length = 0;
  let fileSamples = 0;
  let format: Format | null = null;
  const keep = (piece: Float32Array): void => {
    pieces.push(piece);
    length += piece.length;
  };
  const take = ({ channelData, sampleRate }: AudioData): void => {
    const first = channelData[0];
    if (!first || first.length === 0) return;
    if (sampleRate < MIN_RATE || sampleRate > MAX_RATE) throw unreadable(`its sample rate is ${String(sampleRate)} Hz`);
    if (channelData.length > MAX_CHANNELS) throw unreadable(`it has ${String(channelData.length)} channels`);
    if (!format) {
      const rate = Math.min(sampleRate, MAX_DECODED_RATE);
      format = {
        fileRate: sampleRate,
        rate,
        channels: channelData.length,
        resampler: createResampler(sampleRate, rate),
      };
    } else if (format.fileRate !== sampleRate) {
      throw unreadable('its sample rate changes');
    }
    fileSamples += first.length;
    if (fileSamples > maxSeconds * sampleRate) throw tooLong(fileSamples / sampleRate, maxSeconds, 'it holds at least');
    keep(format.resampler.process(mono(channelData, first.length)));
  };
  const decoder: StreamDecoder = await decode[container.decoder]();
  try {
    for (let at = 0; at < bytes.length; at += PIECE) take(await decoder(bytes.subarray(at, at + PIECE)));
    take(await decoder());
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw unreadable(`it is damaged (${error instanceof Error ? error.message : 'unknown error'})`);
  } finally {
    decoder.free();
  }
  // TypeScript does not see that `take` sets it.
  const known = format as Format | null;
  if (known === null) throw unreadable(`there is no sound in this ${container.name} file`);
  const { resampler, rate, channels, fileRate } = known;
  keep(resampler.finish());
  const samples = new Float32Array(length);
  let at = 0;
  for (const piece of pieces) {
    samples.set(piece, at);
    at += piece.length;
  }
  return { samples, rate, channels, fileRate };
}

function mono(channelData: readonly Float32Array[], length: number): Float32Array {
  const [only] = channelData;
  // Copied: some decoders hand out their own memory.
  if (only && channelData.length === 1) return finite(only.slice());
  const out = new Float32Array(length);
  for (const channel of channelData) {
    for (let i = 0; i < length; i++) out[i] = (out[i] ?? 0) + (channel[i] ?? 0) / channelData.length;
  }
  return finite(out);
}

/** Float files can hold NaN and infinities, which would spoil everything measured after them; in place. */
function finite(samples: Float32Array): Float32Array {
  for (let i = 0; i < samples.length; i++) {
    const value = samples[i] ?? 0;
    if (!(Math.abs(value) <= 8)) samples[i] = 0;
  }
  return samples;
}

function isSilent(samples: Float32Array, rate: number): boolean {
  const block = Math.round(rate / 10);
  const threshold = 10 ** (SILENT_DB / 10);
  for (let at = 0; at < samples.length; at += block) {
    let sum = 0;
    const piece = samples.subarray(at, at + block);
    for (const sample of piece) sum += sample * sample;
    if (sum / piece.length > threshold) return false;
  }
  return true;
}

function tooLong(seconds: number, limit: number, how: string): AppError {
  return new AppError(
    'AUDIO_TOO_LONG',
    `A recording lasts at most ${String(limit)} s; ${how} ${seconds.toFixed(1)} s.`,
    {
      details: { limitSeconds: limit, sentSeconds: Math.round(seconds * 10) / 10 },
    },
  );
}

function truncated(why: string): AppError {
  return new AppError('AUDIO_TRUNCATED', `The recording is truncated: ${why}.`);
}
