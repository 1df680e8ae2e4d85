import { EQUALIZER_BAND_COUNT } from '../engine.ts';
import type { Recording } from '../engine.ts';
import { resample } from '../dsp/resampler.ts';
import { ANALYSIS_RATE, knownBands } from './bands.ts';
import { cepstrumStatistics } from './cepstrum.ts';
import type { CepstrumStatistics } from './cepstrum.ts';
import { FRAME_RATE, melSpectrum } from './mel-spectrum.ts';
import { pitchContour } from './pitch.ts';
import { measurePace } from './syllables.ts';

/** The quietest share of frames that shows what sounds even where the voice itself does not. */
const FLOOR_SHARE = 0.1;

/** The voiced frames of a voice's recordings. */
export interface VoiceFrames {
  count: number;
  /** dB, `EQUALIZER_BAND_COUNT` for each frame. */
  melDb: Float32Array;
  /** Power of each frame, dB. */
  powerDb: Float32Array;
  /** Bands below the recordings' Nyquist frequency; the others' levels mean nothing. */
  bands: number;
  /** Ascending, Hz. */
  f0: Float32Array;
}

/** What a voice sounds like. */
export interface VoiceMeasure {
  frames: VoiceFrames;
  /** Of frames with a pitch, s. */
  voicedSeconds: number;
  f0MedianHz: number;
  /** 10th to 90th percentile of F0, semitones. */
  rangeSemitones: number;
  /** 0 where it was not asked for. */
  syllablesPerSecond: number;
  /** Long-term average spectrum over voiced frames: mean log energy of each band, dB. */
  spectrumDb: number[];
  /** How far each band falls below the frame's power in its quietest tenth of voiced frames, dB: breath and room. */
  floorDb: number[];
  cepstrum: CepstrumStatistics;
}

export interface MeasureOptions {
  /** Whether syllables are counted (default true). */
  pace?: boolean;
  /** Leaves out the bands that another voice, which this is compared with, lacks. */
  bands?: number;
}

/** Measures the recordings of one voice together. */
export function measureVoice(
  recordings: readonly Recording[],
  { pace = true, bands = EQUALIZER_BAND_COUNT }: MeasureOptions = {},
): VoiceMeasure {
  const parts = recordings.map((recording) => {
    const samples = levelled(resample(recording.samples, recording.sampleRate, ANALYSIS_RATE));
    const contour = pitchContour(samples);
    const voiced = Array.from(contour, (f) => f > 0);
    const { melDb, powerDb } = melSpectrum(samples, voiced);
    return { f0: contour.filter((f) => f > 0), melDb, powerDb, pace: pace ? measurePace(samples, contour) : null };
  });
  const f0 = joined(parts.map((part) => part.f0)).toSorted();
  const frames: VoiceFrames = {
    count: f0.length,
    melDb: joined(parts.map((part) => part.melDb)),
    powerDb: joined(parts.map((part) => part.powerDb)),
    bands: Math.min(bands, ...recordings.map((recording) => knownBands(recording.sampleRate))),
    f0,
  };
  const syllables = parts.reduce((sum, part) => sum + (part.pace?.syllables ?? 0), 0);
  const speaking = parts.reduce((sum, part) => sum + (part.pace?.speakingSeconds ?? 0), 0);
  return {
    frames,
    voicedSeconds: f0.length / FRAME_RATE,
    f0MedianHz: percentile(f0, 0.5),
    rangeSemitones: f0.length === 0 ? 0 : 12 * Math.log2(percentile(f0, 0.9) / percentile(f0, 0.1)),
    syllablesPerSecond: speaking === 0 ? 0 : syllables / speaking,
    spectrumDb: meanSpectrum(frames.melDb, frames.count),
    floorDb: floorSpectrum(frames),
    cepstrum: cepstrumStatistics(frames.melDb, frames.count, frames.bands),
  };
}

/** Mean of each band over frames, dB. */
export function meanSpectrum(melDb: Float32Array, count: number): number[] {
  const sum = new Float64Array(EQUALIZER_BAND_COUNT);
  for (let i = 0; i < count * EQUALIZER_BAND_COUNT; i++) {
    const band = i % EQUALIZER_BAND_COUNT;
    sum[band] = (sum[band] ?? 0) + (melDb[i] ?? 0);
  }
  return Array.from(sum, (value) => value / Math.max(1, count));
}

/** To −20 dB while it sounds: the floor of the log spectrum then lies equally deep for loud and soft recordings. */
function levelled(samples: Float32Array): Float32Array {
  const block = ANALYSIS_RATE / 10;
  const powers: number[] = [];
  for (let at = 0; at < samples.length; at += block) {
    let sum = 0;
    const piece = samples.subarray(at, at + block);
    for (const sample of piece) sum += sample * sample;
    powers.push(sum / piece.length);
  }
  const loudest = Math.max(0, ...powers);
  const loud = powers.filter((power) => power > loudest / 1000);
  const mean = loud.reduce((sum, power) => sum + power, 0) / Math.max(1, loud.length);
  if (mean === 0) return samples;
  const gain = 0.1 / Math.sqrt(mean);
  return samples.map((sample) => sample * gain);
}

function floorSpectrum({ melDb, powerDb, count }: VoiceFrames): number[] {
  return Array.from({ length: EQUALIZER_BAND_COUNT }, (_, band) => {
    const levels = Float32Array.from(
      { length: count },
      (__, frame) => (melDb[frame * EQUALIZER_BAND_COUNT + band] ?? 0) - (powerDb[frame] ?? 0),
    );
    return percentile(levels.toSorted(), FLOOR_SHARE);
  });
}

/** Nearest rank of ascending values; 0 where there are none. */
function percentile(sorted: Float32Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
