import { createEqualizer } from './equalizer.ts';

/** Adds breath to a whole sound, in place. */
export type Breath = (samples: Float32Array) => void;

/** Long enough that its repetition is not heard under speech. */
const LOOP_SECONDS = 4;
const ENVELOPE_MS = 12;
/** The envelope is taken in steps of so many samples, much shorter than it can change. */
const BLOCK = 32;
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
  const keep = Math.exp(-BLOCK / ((ENVELOPE_MS / 1000) * sampleRate));
  return (samples) => {
    const envelope = smoothed(blockPowers(samples), keep).map(Math.sqrt);
    let phase = 0;
    for (let block = 0; block < envelope.length; block++) {
      // In straight lines from one block's middle to the next one's.
      let gain = ((envelope[block - 1] ?? envelope[block] ?? 0) + (envelope[block] ?? 0)) / 2;
      const step = (((envelope[block + 1] ?? envelope[block] ?? 0) + (envelope[block] ?? 0)) / 2 - gain) / BLOCK;
      const end = Math.min(samples.length, (block + 1) * BLOCK);
      for (let i = block * BLOCK; i < end; i++) {
        samples[i] = (samples[i] ?? 0) + gain * (loop[phase] ?? 0);
        gain += step;
        phase = phase + 1 === length ? 0 : phase + 1;
      }
    }
  };
}

function blockPowers(samples: Float32Array): Float32Array {
  return Float32Array.from({ length: Math.ceil(samples.length / BLOCK) }, (_, block) => {
    const end = Math.min(samples.length, (block + 1) * BLOCK);
    let sum = 0;
    for (let i = block * BLOCK; i < end; i++) sum += (samples[i] ?? 0) ** 2;
    return sum / BLOCK;
  });
}

/** One pole forwards and one backwards, so that breath neither lags nor leads. */
function smoothed(values: Float32Array, keep: number): Float32Array {
  const out = Float32Array.from(values);
  let state = 0;
  for (let i = 0; i < out.length; i++) out[i] = state = keep * state + (1 - keep) * (out[i] ?? 0);
  state = 0;
  for (let i = out.length - 1; i >= 0; i--) out[i] = state = keep * state + (1 - keep) * (out[i] ?? 0);
  return out;
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
