import { ANALYSIS_RATE } from './bands.ts';
import { FRAME_RATE, HOP, frameCount } from './mel-spectrum.ts';
import type { PitchContour } from './pitch.ts';

/** A pause at least this long does not count as speaking time, frames. */
const PAUSE_FRAMES = 25;
/** A frame quieter than this under the loud parts is a pause, dB. */
const PAUSE_DB = -30;
/** A syllable's peak stands this far above the dips beside it, dB. */
const DIP_DB = 1.5;
/** Where vowels are loudest: without the hum below and the hiss above, natural speech's dips are deep enough to be seen. */
const BAND_HZ = [250, 3_000] as const;

export interface Pace {
  syllables: number;
  /** Without pauses, s. */
  speakingSeconds: number;
  syllablesPerSecond: number;
}

/**
 * Syllables counted as voiced peaks of the intensity between dips (de Jong & Wempe 2009, "Praat script to detect syllable
 * nuclei…"), over the time without pauses. Sound at `ANALYSIS_RATE`. Band, window and dip are set so that the count is right, to
 * two percent on average, both for recorded readings and for the engine's own speech: otherwise clones drawl.
 */
export function measurePace(samples: Float32Array, contour: PitchContour): Pace {
  const level = intensity(bandPass(samples));
  const sorted = Float32Array.from(level).toSorted();
  const loud = sorted[Math.floor(sorted.length * 0.95)] ?? -Infinity;
  const threshold = loud + PAUSE_DB;
  let syllables = 0;
  let valley = Infinity;
  let peak = -Infinity;
  let peakFrame = -1;
  const close = (): void => {
    if (peakFrame >= 0 && peak > threshold && nearVoice(contour, peakFrame)) syllables++;
    peak = -Infinity;
    peakFrame = -1;
  };
  for (let frame = 0; frame < level.length; frame++) {
    const value = level[frame] ?? -Infinity;
    if (peakFrame < 0) {
      valley = Math.min(valley, value);
      if (value < valley + DIP_DB) continue;
    }
    if (value > peak) {
      peak = value;
      peakFrame = frame;
    } else if (value < peak - DIP_DB) {
      close();
      valley = value;
    }
  }
  close();
  const speakingSeconds = speakingFrames(level, threshold) / FRAME_RATE;
  return { syllables, speakingSeconds, syllablesPerSecond: speakingSeconds === 0 ? 0 : syllables / speakingSeconds };
}

function nearVoice(contour: PitchContour, frame: number): boolean {
  for (let i = frame - 1; i <= frame + 1; i++) if ((contour[i] ?? 0) > 0) return true;
  return false;
}

/** Two one-pole high-passes and two low-passes. */
function bandPass(samples: Float32Array): Float32Array {
  const out = Float32Array.from(samples);
  const [low, high] = BAND_HZ;
  const slow = 1 - Math.exp((-2 * Math.PI * low) / ANALYSIS_RATE);
  const fast = 1 - Math.exp((-2 * Math.PI * high) / ANALYSIS_RATE);
  for (let pass = 0; pass < 2; pass++) {
    let below = 0;
    let smooth = 0;
    for (let i = 0; i < out.length; i++) {
      const value = out[i] ?? 0;
      below += slow * (value - below);
      smooth += fast * (value - below - smooth);
      out[i] = smooth;
    }
  }
  return out;
}

/** dB of each frame over a 50 ms Hann window. */
function intensity(samples: Float32Array): Float32Array {
  const frames = frameCount(samples.length);
  const half = Math.round(0.025 * ANALYSIS_RATE);
  const weights = Float64Array.from({ length: half * 2 }, (_, i) => 0.5 - 0.5 * Math.cos((Math.PI * (i + 0.5)) / half));
  const total = weights.reduce((sum, w) => sum + w, 0);
  const padded = new Float32Array(frames * HOP + half * 2);
  padded.set(samples, half);
  return Float32Array.from({ length: frames }, (_, frame) => {
    const start = frame * HOP;
    let sum = 0;
    for (let i = 0; i < weights.length; i++) sum += (padded[start + i] ?? 0) ** 2 * (weights[i] ?? 0);
    return 10 * Math.log10(sum / total + 1e-10);
  });
}

function speakingFrames(level: Float32Array, threshold: number): number {
  let speaking = 0;
  let quiet = 0;
  let begun = false;
  for (const value of level) {
    if (value <= threshold) {
      quiet++;
      continue;
    }
    if (begun && quiet < PAUSE_FRAMES) speaking += quiet;
    quiet = 0;
    begun = true;
    speaking++;
  }
  return speaking;
}
