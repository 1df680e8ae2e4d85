import { createEqualizer } from './equalizer.ts';

/** Adds breath to a whole sound, in place. */
export type Breath = (samples: Float32Array) => void;

/** Long enough that its repetition is not heard under speech. */
const LOOP_SECONDS = 4;
const ENVELOPE_MS = 12;
const SEED = 0x9e3779b9;

/**
 * Noise with the given level in each band (dB under the speech's momentary power), following the speech's envelope, so that
 * pauses stay silent. The noise is the same each time: equal requests make equal sound.
 */
export function createBreath(levelsDb: readonly number[], sampleRate: number): Breath {
  const length = Math.round(LOOP_SECONDS * sampleRate);
  const white = whiteNoise(length * 2);
  // The second half, where the filter has forgotten the beginning; the ends fit well enough for noise.
  const loop = createEqualizer(levelsDb, sampleRate)(white).subarray(length);
  const keep = Math.exp(-1 / ((ENVELOPE_MS / 1000) * sampleRate));
  return (samples) => {
    const envelope = new Float32Array(samples.length);
    let state = 0;
    for (let i = 0; i < samples.length; i++) {
      state = keep * state + (1 - keep) * (samples[i] ?? 0) ** 2;
      envelope[i] = state;
    }
    // Backwards too, so that breath neither lags nor leads.
    state = 0;
    for (let i = samples.length - 1; i >= 0; i--) {
      state = keep * state + (1 - keep) * (envelope[i] ?? 0);
      samples[i] = (samples[i] ?? 0) + Math.sqrt(state) * (loop[i % length] ?? 0);
    }
  };
}

/** Gaussian, power 1, from a fixed seed (xorshift32 through Box–Muller). */
function whiteNoise(length: number): Float32Array {
  let state = SEED;
  const uniform = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) + 0.5) / 2 ** 32;
  };
  const out = new Float32Array(length);
  for (let i = 0; i < length; i++) out[i] = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return out;
}
