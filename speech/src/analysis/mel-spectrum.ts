import { EQUALIZER_BAND_COUNT } from '../engine.ts';
import { RealFft } from '../dsp/real-fft.ts';
import { ANALYSIS_RATE, BAND_EDGES } from './bands.ts';

/** Frames per second of every analysis. */
export const FRAME_RATE = 100;
export const HOP = ANALYSIS_RATE / FRAME_RATE;
const WINDOW = 400;
const FFT_SIZE = 512;
/** Added to every band's energy: the floor of a quiet room, so that digital silence does not count as timbre. */
const FLOOR = 1e-7;

interface BandWeights {
  first: number;
  weights: Float64Array;
}

const window = Float64Array.from(
  { length: WINDOW },
  (_, i) => 0.54 - 0.46 * Math.cos((2 * Math.PI * i) / (WINDOW - 1)),
);
const bank: readonly BandWeights[] = Array.from({ length: EQUALIZER_BAND_COUNT }, (_, b) => triangle(b));

function triangle(band: number): BandWeights {
  const low = BAND_EDGES[band] ?? 0;
  const centre = BAND_EDGES[band + 1] ?? 0;
  const high = BAND_EDGES[band + 2] ?? 0;
  const binHz = ANALYSIS_RATE / FFT_SIZE;
  const first = Math.max(1, Math.floor(low / binHz));
  const last = Math.min(FFT_SIZE / 2, Math.ceil(high / binHz));
  const weights = new Float64Array(last - first + 1);
  let sum = 0;
  for (let bin = first; bin <= last; bin++) {
    const hz = bin * binHz;
    // The lowest bands are narrower than a bin: a triangle at least a bin wide keeps them from being empty.
    const rise = Math.max(centre - low, binHz);
    const fall = Math.max(high - centre, binHz);
    const weight = Math.max(0, hz < centre ? 1 - (centre - hz) / rise : 1 - (hz - centre) / fall);
    weights[bin - first] = weight;
    sum += weight;
  }
  return { first, weights: weights.map((weight) => weight / sum) };
}

/** Number of frames that `n` samples at the analysis rate have. */
export function frameCount(n: number): number {
  return Math.max(0, Math.ceil(n / HOP));
}

/** One row for each wanted frame, in order. */
export interface MelSpectrum {
  /** Mean power density of each band, dB, `EQUALIZER_BAND_COUNT` for each frame: white noise has its own power in each. */
  melDb: Float32Array;
  /** Mean power of the windowed frame, dB. */
  powerDb: Float32Array;
}

/** Mel spectrum of sound at `ANALYSIS_RATE` in the frames that are `wanted`; frame f is centred on sample f × `HOP`. */
export function melSpectrum(samples: Float32Array, wanted: readonly boolean[]): MelSpectrum {
  const frames = wanted.flatMap((yes, frame) => (yes ? [frame] : []));
  const melDb = new Float32Array(frames.length * EQUALIZER_BAND_COUNT);
  const powerDb = new Float32Array(frames.length);
  const fft = new RealFft(FFT_SIZE);
  const { time } = fft;
  const power = new Float64Array(FFT_SIZE / 2 + 1);
  const scale = 1 / window.reduce((sum, w) => sum + w * w, 0);
  frames.forEach((frame, row) => {
    const start = frame * HOP - WINDOW / 2;
    let energy = 0;
    for (let i = 0; i < WINDOW; i++) {
      const value = (samples[start + i] ?? 0) * (window[i] ?? 0);
      time[i] = value;
      energy += value * value;
    }
    powerDb[row] = 10 * Math.log10(energy * scale + FLOOR);
    const spectrum = fft.forward();
    for (let bin = 0; bin < power.length; bin++) {
      const re = spectrum[bin * 2] ?? 0;
      const im = spectrum[bin * 2 + 1] ?? 0;
      power[bin] = (re * re + im * im) * scale;
    }
    bank.forEach(({ first, weights }, band) => {
      let density = 0;
      for (let i = 0; i < weights.length; i++) density += (weights[i] ?? 0) * (power[first + i] ?? 0);
      melDb[row * EQUALIZER_BAND_COUNT + band] = 10 * Math.log10(density + FLOOR);
    });
  });
  return { melDb, powerDb };
}
