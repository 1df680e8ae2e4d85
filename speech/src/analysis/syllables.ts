import { ANALYSIS_RATE } from './bands.ts';
import { FRAME_RATE, HOP, frameCount } from './mel-spectrum.ts';
import type { PitchContour } from './pitch.ts';

/** A pause at least this long does not count as speaking time, frames. */
const PAUSE_FRAMES = 25;
/** A frame quieter than this under the loud parts is a pause, dB. */
const PAUSE_DB = -30;
/** A syllable's peak stands this far above the dips beside it, dB. */
const DIP_DB = 2;

export interface Pace {
  syllables: number;
  /** Without pauses, s. */
  speakingSeconds: number;
  syllablesPerSecond: number;
}

/**
 * Syllables counted as voiced peaks of the intensity between dips of at least 2 dB (de Jong & Wempe 2009, "Praat script to
 * detect syllable nuclei…"), over the time without pauses. Sound at `ANALYSIS_RATE`.
 */
export function measurePace(samples: Float32Array, contour: PitchContour): Pace {
  const level = intensity(samples);
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

/** dB of each frame over a 64 ms Hann window, as in the paper's script (minimum pitch 50 Hz). */
function intensity(samples: Float32Array): Float32Array {
  const frames = frameCount(samples.length);
  const half = Math.round(0.032 * ANALYSIS_RATE);
  const weights = Float64Array.from({ length: half * 2 }, (_, i) => 0.5 - 0.5 * Math.cos((Math.PI * (i + 0.5)) / half));
  const total = weights.reduce((sum, w) => sum + w, 0);
  return Float32Array.from({ length: frames }, (_, frame) => {
    const start = frame * HOP - half;
    let sum = 0;
    for (let i = 0; i < weights.length; i++) sum += (samples[start + i] ?? 0) ** 2 * (weights[i] ?? 0);
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
