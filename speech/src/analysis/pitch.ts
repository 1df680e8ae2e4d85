import { RealFft } from '../dsp/real-fft.ts';
import { resample } from '../dsp/resampler.ts';
import { ANALYSIS_RATE } from './bands.ts';
import { FRAME_RATE, frameCount } from './mel-spectrum.ts';

/** F0 of each frame in Hz, 0 where the frame is unvoiced; frames as in `melSpectrum`. */
export type PitchContour = Float32Array;

/** The low-pass leaves nothing above this rate's half. */
const RATE = 4_000;
const HOP = RATE / FRAME_RATE;
const MIN_HZ = 60;
const MAX_HZ = 500;
/** Three periods of the lowest pitch. */
const WINDOW = Math.round((3 * RATE) / MIN_HZ);
const FFT_SIZE = 512;
/** The correlation is taken at twice the rate: a parabola through its samples then finds the peaks of high voices too. */
const LAG_RATE = RATE * 2;
const CANDIDATES = 5;
/** Costs of Boersma's path finder, as in Praat's "To Pitch (ac)". */
const VOICING_THRESHOLD = 0.5;
const SILENCE_THRESHOLD = 0.06;
const OCTAVE_COST = 0.01;
const OCTAVE_JUMP_COST = 0.35;
const VOICED_UNVOICED_COST = 0.14;
const MEDIAN_FRAMES = 5;
/** Where the low-pass begins: hiss and fricatives above it must not pass for a high voice, Hz. */
const LOW_PASS_HZ = 700;
/** A voice's floor and ceiling from the quartiles of a first pass (De Looze & Hirst 2008). */
const FLOOR_OF_FIRST_QUARTILE = 0.7;
const CEILING_OF_THIRD_QUARTILE = 1.75;

const window = Float64Array.from(
  { length: WINDOW },
  (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / WINDOW),
);

/**
 * F0 contour by autocorrelation with a Viterbi path over candidates (Boersma 1993, "Accurate short-term analysis of the
 * fundamental frequency…"), once over all pitches and once within the range that the voice turned out to have, then
 * median-filtered over 5 frames: single octave errors would otherwise widen the range.
 * `samples` are at `ANALYSIS_RATE`.
 */
export function pitchContour(samples: Float32Array): PitchContour {
  const frames = frameCount(samples.length);
  const signal = lowPass(resample(samples, ANALYSIS_RATE, RATE));
  let peak = 0;
  for (const sample of signal) peak = Math.max(peak, Math.abs(sample));
  if (peak === 0) return new Float32Array(frames);
  const candidates = candidatesOf(signal, frames, peak);
  const first = bestPath(candidates, frames);
  const voiced = first.filter((f) => f > 0).toSorted();
  const floor = FLOOR_OF_FIRST_QUARTILE * (voiced[Math.floor(voiced.length / 4)] ?? 0);
  const ceiling = CEILING_OF_THIRD_QUARTILE * (voiced[Math.floor((voiced.length * 3) / 4)] ?? 0);
  candidates.hz.forEach((f, i) => {
    if (f > 0 && (f < floor || f > ceiling)) candidates.strength[i] = -Infinity;
  });
  return medianFilter(bestPath(candidates, frames));
}

/** Two one-pole low-passes, forwards and backwards so that nothing moves in time. */
function lowPass(signal: Float32Array): Float32Array {
  const out = Float32Array.from(signal);
  const keep = Math.exp((-2 * Math.PI * LOW_PASS_HZ) / RATE);
  let state = 0;
  for (let i = 0; i < out.length; i++) out[i] = state += (1 - keep) * ((out[i] ?? 0) - state);
  state = 0;
  for (let i = out.length - 1; i >= 0; i--) out[i] = state += (1 - keep) * ((out[i] ?? 0) - state);
  return out;
}

interface Candidates {
  /** `CANDIDATES` for each frame; the first is "unvoiced" (0 Hz). */
  hz: Float32Array;
  strength: Float32Array;
}

function candidatesOf(signal: Float32Array, frames: number, peak: number): Candidates {
  const correlator = new Autocorrelator();
  const norm = correlator.of((i) => window[i] ?? 0);
  const hz = new Float32Array(frames * CANDIDATES);
  const strength = new Float32Array(frames * CANDIDATES).fill(-Infinity);
  const minLag = Math.floor(LAG_RATE / MAX_HZ);
  const maxLag = Math.ceil(LAG_RATE / MIN_HZ);
  for (let frame = 0; frame < frames; frame++) {
    const start = frame * HOP - WINDOW / 2;
    let mean = 0;
    for (let i = 0; i < WINDOW; i++) mean += signal[start + i] ?? 0;
    mean /= WINDOW;
    let local = 0;
    for (let i = 0; i < WINDOW; i++) local = Math.max(local, Math.abs((signal[start + i] ?? 0) - mean));
    const at = frame * CANDIDATES;
    // Boersma's strength of the unvoiced candidate.
    strength[at] = VOICING_THRESHOLD + Math.max(0, 2 - local / peak / (SILENCE_THRESHOLD / (1 + VOICING_THRESHOLD)));
    if (local < peak * 1e-3) continue;
    const r = correlator.of((i) => ((signal[start + i] ?? 0) - mean) * (window[i] ?? 0));
    const value = (lag: number): number => (r[lag] ?? 0) / (norm[lag] ?? 1);
    for (let lag = minLag; lag <= maxLag; lag++) {
      const here = value(lag);
      const before = value(lag - 1);
      const after = value(lag + 1);
      if (here < 0.3 || here <= before || here < after) continue;
      const curve = 2 * here - before - after;
      const shift = curve === 0 ? 0 : (after - before) / (2 * curve);
      const f = LAG_RATE / (lag + shift);
      const height = Math.min(1, here + ((after - before) * shift) / 4);
      insert(hz, strength, at, f, height + OCTAVE_COST * Math.log2(f / MIN_HZ));
    }
  }
  return { hz, strength };
}

/** Keeps the strongest candidates of a frame behind the unvoiced one. */
function insert(hz: Float32Array, strength: Float32Array, at: number, f: number, value: number): void {
  let weakest = at + 1;
  for (let c = at + 2; c < at + CANDIDATES; c++) {
    if ((strength[c] ?? 0) < (strength[weakest] ?? 0)) weakest = c;
  }
  if (value <= (strength[weakest] ?? 0)) return;
  hz[weakest] = f;
  strength[weakest] = value;
}

class Autocorrelator {
  readonly #forward = new RealFft(FFT_SIZE);
  readonly #back = new RealFft(FFT_SIZE * 2);

  /** Normalised autocorrelation of a window, lags at `LAG_RATE`. */
  of(sample: (i: number) => number): Float64Array {
    const { time } = this.#forward;
    for (let i = 0; i < FFT_SIZE; i++) time[i] = i < WINDOW ? sample(i) : 0;
    const spectrum = this.#forward.forward();
    // The power spectrum is real and even, so its transform is the same forwards and backwards; the zeros above it interpolate.
    const power = this.#back.time.fill(0);
    for (let bin = 0; bin <= FFT_SIZE / 2; bin++) {
      const value = (spectrum[bin * 2] ?? 0) ** 2 + (spectrum[bin * 2 + 1] ?? 0) ** 2;
      power[bin] = value;
      if (bin > 0) power[FFT_SIZE * 2 - bin] = value;
    }
    const correlation = this.#back.forward();
    const energy = correlation[0] ?? 1;
    return Float64Array.from({ length: FFT_SIZE }, (_, lag) => (correlation[lag * 2] ?? 0) / energy);
  }
}

function bestPath({ hz, strength }: Candidates, frames: number): Float32Array {
  const path = new Float32Array(frames);
  const back = new Int8Array(frames * CANDIDATES);
  let score = Float64Array.from({ length: CANDIDATES }, (_, c) => strength[c] ?? -Infinity);
  for (let frame = 1; frame < frames; frame++) {
    const next = new Float64Array(CANDIDATES).fill(-Infinity);
    for (let c = 0; c < CANDIDATES; c++) {
      const to = frame * CANDIDATES + c;
      if (strength[to] === -Infinity) continue;
      for (let p = 0; p < CANDIDATES; p++) {
        const total =
          (score[p] ?? -Infinity) - transition(hz[to - c - CANDIDATES + p] ?? 0, hz[to] ?? 0) + (strength[to] ?? 0);
        if (total > (next[c] ?? -Infinity)) {
          next[c] = total;
          back[to] = p;
        }
      }
    }
    score = next;
  }
  let best = score.indexOf(Math.max(...score));
  for (let frame = frames - 1; frame >= 0; frame--) {
    path[frame] = hz[frame * CANDIDATES + best] ?? 0;
    best = back[frame * CANDIDATES + best] ?? 0;
  }
  return path;
}

function transition(from: number, to: number): number {
  if (from === 0 && to === 0) return 0;
  if (from === 0 || to === 0) return VOICED_UNVOICED_COST;
  return OCTAVE_JUMP_COST * Math.abs(Math.log2(to / from));
}

/** Median over the voiced frames around each voiced frame. */
function medianFilter(contour: Float32Array): Float32Array {
  const half = (MEDIAN_FRAMES - 1) / 2;
  return contour.map((f, i) => {
    if (f === 0) return 0;
    const near: number[] = [];
    for (let j = i - half; j <= i + half; j++) {
      const value = contour[j] ?? 0;
      if (value > 0) near.push(value);
    }
    near.toSorted((a, b) => a - b);
    return near[Math.floor(near.length / 2)] ?? f;
  });
}
