import { EQUALIZER_BAND_COUNT } from '../engine.ts';

/** Mel cepstra that timbre is told by: c1…c13. */
export const CEPSTRUM_COUNT = 13;

/** Row i holds the orthonormal DCT-II of cepstrum i+1 (c0 is left out: it is loudness). */
export const CEPSTRUM_BASIS: readonly Float64Array[] = Array.from({ length: CEPSTRUM_COUNT }, (_, i) =>
  Float64Array.from(
    { length: EQUALIZER_BAND_COUNT },
    (__, b) => Math.sqrt(2 / EQUALIZER_BAND_COUNT) * Math.cos((Math.PI * (i + 1) * (b + 0.5)) / EQUALIZER_BAND_COUNT),
  ),
);

/** Mean and deviation of each mel cepstrum (c1…c13), from log mel energies in dB. */
export interface CepstrumStatistics {
  frames: number;
  mean: number[];
  deviation: number[];
}

/** Statistics over frames. Bands from `bands` on count as level with the rest. */
export function cepstrumStatistics(melDb: Float32Array, frames: number, bands: number): CepstrumStatistics {
  const sum = new Float64Array(CEPSTRUM_COUNT);
  const squares = new Float64Array(CEPSTRUM_COUNT);
  const frameBands = new Float64Array(bands);
  for (let frame = 0; frame < frames; frame++) {
    const offset = frame * EQUALIZER_BAND_COUNT;
    let level = 0;
    for (let b = 0; b < bands; b++) level += melDb[offset + b] ?? 0;
    level /= bands;
    // About the frame's level, so that unknown bands neither rise nor fall.
    for (let b = 0; b < bands; b++) frameBands[b] = (melDb[offset + b] ?? 0) - level;
    CEPSTRUM_BASIS.forEach((basis, i) => {
      let value = 0;
      for (let b = 0; b < bands; b++) value += (frameBands[b] ?? 0) * (basis[b] ?? 0);
      sum[i] = (sum[i] ?? 0) + value;
      squares[i] = (squares[i] ?? 0) + value * value;
    });
  }
  const count = Math.max(1, frames);
  const mean = Array.from(sum, (value) => value / count);
  return {
    frames,
    mean,
    deviation: Array.from(squares, (value, i) => Math.sqrt(Math.max(0, value / count - (mean[i] ?? 0) ** 2))),
  };
}

/**
 * Timbre distance: root mean square over the differences of the 13 means and the 13 deviations, each in units of
 * `scale` (a deviation for each cepstrum, pooled over what is compared).
 */
export function timbreDistance(a: CepstrumStatistics, b: CepstrumStatistics, scale: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < CEPSTRUM_COUNT; i++) {
    const unit = Math.max(scale[i] ?? 1, 1e-6);
    sum +=
      (((a.mean[i] ?? 0) - (b.mean[i] ?? 0)) / unit) ** 2 +
      (((a.deviation[i] ?? 0) - (b.deviation[i] ?? 0)) / unit) ** 2;
  }
  return Math.sqrt(sum / (2 * CEPSTRUM_COUNT));
}
