import { EQUALIZER_BAND_COUNT, EQUALIZER_LIMIT_DB } from '../engine.ts';
import { BAND_EDGES, EQUALIZER_BANDS } from '../analysis/bands.ts';
import { cepstrumStatistics, timbreDistance } from '../analysis/cepstrum.ts';
import { meanSpectrum } from '../analysis/voice-measure.ts';
import type { VoiceFrames, VoiceMeasure } from '../analysis/voice-measure.ts';

/** Loudest breath, dB under the voice's momentary power: below the first frequency, and from the second on. */
const BREATH_LIMITS = { lowHz: 800, lowDb: -30, highHz: 2_000, highDb: -18 };
const ROUNDS = 4;

const WIDTHS = EQUALIZER_BANDS.map((_, b) => (BAND_EDGES[b + 2] ?? 0) - (BAND_EDGES[b] ?? 0));
const TOTAL_WIDTH = WIDTHS.reduce((sum, width) => sum + width, 0);

export interface TimbreMatch {
  equalizer: number[];
  /** Distance that is left once the equalizer and the breath are applied. */
  distance: number;
}

/**
 * Breath of a speaker: the level that each band never falls below while the voice sounds, which formant synthesis lacks
 * (its valleys are empty). Where harmonics lie dense the floor is voice, not noise, and is left to the voice.
 */
export function breathOf(target: VoiceMeasure): number[] {
  const { lowHz, lowDb, highHz, highDb } = BREATH_LIMITS;
  const known = target.frames.bands;
  return EQUALIZER_BANDS.map((hz, band) => {
    const share = Math.min(1, Math.max(0, (hz - lowHz) / (highHz - lowHz)));
    const floor = target.floorDb[Math.min(band, known - 1)] ?? -100;
    return Math.max(-100, Math.min(floor, lowDb + (highDb - lowDb) * share));
  });
}

/**
 * The equalizer that brings a voice's mean spectrum to the target's, breath included, and the timbre distance that remains,
 * computed on the voice's frames instead of its sound: a mean of mel cepstra moves exactly as the mean spectrum does.
 */
export function matchTimbre(voice: VoiceMeasure, target: VoiceMeasure, breath: readonly number[]): TimbreMatch {
  const known = Math.min(voice.frames.bands, target.frames.bands);
  let equalizer = Array.from({ length: EQUALIZER_BAND_COUNT }, () => 0);
  let shaped = shape(voice.frames, equalizer, breath);
  for (let round = 0; round < ROUNDS; round++) {
    equalizer = correctedEqualizer(equalizer, meanSpectrum(shaped, voice.frames.count), target.spectrumDb, known);
    shaped = shape(voice.frames, equalizer, breath);
  }
  const statistics = cepstrumStatistics(shaped, voice.frames.count, known);
  return { equalizer, distance: timbreDistance(statistics, target.cepstrum, target.cepstrum.deviation) };
}

/** An equalizer moved by what the mean spectrum still misses; unknown bands follow the last known one. */
export function correctedEqualizer(
  equalizer: readonly number[],
  spectrum: readonly number[],
  target: readonly number[],
  known: number,
): number[] {
  let level = 0;
  for (let b = 0; b < known; b++) level += ((target[b] ?? 0) - (spectrum[b] ?? 0)) / known;
  const moved = equalizer.map((gain, b) => {
    const wished = gain + (target[b] ?? 0) - (spectrum[b] ?? 0) - level;
    return Math.max(-EQUALIZER_LIMIT_DB, Math.min(EQUALIZER_LIMIT_DB, wished));
  });
  return moved.map((gain, b) => (b < known ? gain : (moved[known - 1] ?? gain)));
}

/** Frames as they would be behind an equalizer and with breath. */
function shape({ melDb, count }: VoiceFrames, equalizer: readonly number[], breath: readonly number[]): Float32Array {
  const out = new Float32Array(melDb.length);
  const gains = equalizer.map((gain) => 10 ** (gain / 10));
  const noise = breath.map((level) => 10 ** (level / 10));
  const density = new Float64Array(EQUALIZER_BAND_COUNT);
  for (let frame = 0; frame < count; frame++) {
    const offset = frame * EQUALIZER_BAND_COUNT;
    let power = 0;
    for (let b = 0; b < EQUALIZER_BAND_COUNT; b++) {
      const value = 10 ** ((melDb[offset + b] ?? 0) / 10) * (gains[b] ?? 1);
      density[b] = value;
      power += (value * (WIDTHS[b] ?? 0)) / TOTAL_WIDTH;
    }
    for (let b = 0; b < EQUALIZER_BAND_COUNT; b++)
      out[offset + b] = 10 * Math.log10((density[b] ?? 0) + power * (noise[b] ?? 0));
  }
  return out;
}
