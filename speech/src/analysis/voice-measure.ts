import { EQUALIZER_BAND_COUNT } from '../engine.ts';
import type { Recording } from '../engine.ts';
import { resample } from '../dsp/resampler.ts';
import { ANALYSIS_RATE, knownBands } from './bands.ts';
import { cepstrumStatistics } from './cepstrum.ts';
import type { CepstrumStatistics } from './cepstrum.ts';
import { FRAME_RATE, melSpectrum } from './mel-spectrum.ts';
import { pitchContour } from './pitch.ts';
import { measurePace } from './syllables.ts';

/** What a voice sounds like, measured over all of its recordings. */
export interface VoiceMeasure {
  /** Of frames with a pitch, s. */
  voicedSeconds: number;
  f0MedianHz: number;
  /** 10th to 90th percentile of F0, semitones. */
  rangeSemitones: number;
  syllablesPerSecond: number;
  /** Long-term average spectrum over voiced frames: mean log energy of each band, dB. */
  spectrumDb: number[];
  cepstrum: CepstrumStatistics;
  /** Bands below the recordings' Nyquist frequency; the others' levels mean nothing. */
  bands: number;
}

/** Measures recordings of one voice together; `bands` leaves out the bands that another voice it is compared with lacks. */
export function measureVoice(
  recordings: readonly Recording[],
  { pace = true, bands }: { pace?: boolean; bands?: number } = {},
): VoiceMeasure {
  const parts = recordings.map((recording) => {
    const samples = levelled(toAnalysisRate(recording));
    const contour = pitchContour(samples);
    const voiced = Array.from(contour, (f) => f > 0);
    return { contour, voiced, mel: melSpectrum(samples, voiced), pace: pace ? measurePace(samples, contour) : null };
  });
  const known = Math.min(
    bands ?? EQUALIZER_BAND_COUNT,
    ...recordings.map((recording) => knownBands(recording.sampleRate)),
  );
  const f0 = Float32Array.from(parts.flatMap(({ contour }) => Array.from(contour).filter((f) => f > 0))).toSorted();
  const voiced = parts.flatMap((part) => part.voiced);
  const mel = joined(parts.map((part) => part.mel));
  const syllables = parts.reduce((sum, part) => sum + (part.pace?.syllables ?? 0), 0);
  const speaking = parts.reduce((sum, part) => sum + (part.pace?.speakingSeconds ?? 0), 0);
  return {
    voicedSeconds: f0.length / FRAME_RATE,
    f0MedianHz: percentile(f0, 0.5),
    rangeSemitones: f0.length === 0 ? 0 : 12 * Math.log2(percentile(f0, 0.9) / percentile(f0, 0.1)),
    syllablesPerSecond: speaking === 0 ? 0 : syllables / speaking,
    spectrumDb: meanSpectrum(mel, voiced),
    cepstrum: cepstrumStatistics(mel, voiced, known),
    bands: known,
  };
}

function toAnalysisRate(recording: Recording): Float32Array {
  return resample(recording.samples, recording.sampleRate, ANALYSIS_RATE);
}

/** To −20 dBFS while it sounds: the floor of the log spectrum then lies equally deep for loud and soft recordings. */
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

function meanSpectrum(mel: Float32Array, voiced: readonly boolean[]): number[] {
  const sum = new Float64Array(EQUALIZER_BAND_COUNT);
  let frames = 0;
  voiced.forEach((counted, frame) => {
    if (!counted) return;
    frames++;
    for (let b = 0; b < EQUALIZER_BAND_COUNT; b++)
      sum[b] = (sum[b] ?? 0) + (mel[frame * EQUALIZER_BAND_COUNT + b] ?? 0);
  });
  return Array.from(sum, (value) => value / Math.max(1, frames));
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
