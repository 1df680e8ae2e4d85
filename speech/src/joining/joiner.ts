import type { ChunkBoundary } from '../splitting/split-text.ts';
import type { WordTiming } from '../engine.ts';

export interface JoinerOptions {
  /** Of every chunk and of the joined sound, Hz. */
  sampleRate: number;
  /** The speech's speed: pauses are divided by it (default 1). */
  speed?: number;
}

/** One chunk's share of the joined sound; sample positions count from the joined sound's beginning. */
export interface JoinedPiece {
  /** What comes next in the joined sound: the pause before the chunk, then the chunk. */
  samples: Float32Array;
  /** Where the chunk's own sound begins and ends (exclusive) in the joined sound; a pause belongs to no chunk. */
  startSample: number;
  endSample: number;
  /** Joined position minus position in the chunk as pushed: add it to a word's samples. */
  shift: number;
}

export interface Joiner {
  /** The next chunk, in order; `boundary` is what ends its text. */
  push(samples: Float32Array, boundary: ChunkBoundary): JoinedPiece;
  /** The silence after the last chunk. */
  finish(): Float32Array;
  /** Samples given out so far. */
  readonly length: number;
}

/** Heard between two chunks at speed 1, ms, where the text between them ends so. */
const PAUSE_MS: Record<ChunkBoundary, number> = { paragraph: 650, sentence: 400, clause: 180, word: 40, character: 10 };
const END_MS = 150;
const FADE_MS = 4;
/** Kept before and after what is louder than the threshold: the soft beginnings and ends of consonants. */
const MARGIN_MS = 12;
/** Quieter than this under the chunk's peak is silence, dB. */
const SILENCE_DB = -50;

/**
 * Puts chunks one after another: their own silence at the edges is trimmed, the pause between two is the same for the
 * same kind of boundary, and edges are faded, so that no joint clicks. Streams: holds nothing of the sound.
 */
export function createJoiner({ sampleRate, speed = 1 }: JoinerOptions): Joiner {
  const ms = (value: number): number => Math.round((value / 1000) * sampleRate);
  let length = 0;
  let pending: ChunkBoundary | null = null;
  return {
    push(samples, boundary) {
      const { from, to } = soundRange(samples, ms(MARGIN_MS));
      const pause = pending === null ? 0 : ms(PAUSE_MS[pending] / speed);
      const out = new Float32Array(pause + to - from);
      out.set(samples.subarray(from, to), pause);
      fade(out.subarray(pause), ms(FADE_MS));
      const startSample = length + pause;
      length += out.length;
      // A chunk without sound leaves the pause before it to stand for both.
      pending = to > from || pending === null ? boundary : longer(pending, boundary);
      return { samples: out, startSample, endSample: length, shift: startSample - from };
    },
    finish() {
      const tail = new Float32Array(ms(END_MS / speed));
      length += tail.length;
      return tail;
    },
    get length() {
      return length;
    },
  };
}

/** A chunk's word timings in the joined sound, kept within the chunk's share of it. */
export function placeWords(words: readonly WordTiming[], piece: JoinedPiece): WordTiming[] {
  const within = (sample: number): number =>
    Math.min(Math.max(sample + piece.shift, piece.startSample), piece.endSample);
  return words.map((word) => ({ ...word, startSample: within(word.startSample), endSample: within(word.endSample) }));
}

function longer(a: ChunkBoundary, b: ChunkBoundary): ChunkBoundary {
  return PAUSE_MS[a] >= PAUSE_MS[b] ? a : b;
}

/** The part that is not silence at the edges; empty where all of it is. */
function soundRange(samples: Float32Array, margin: number): { from: number; to: number } {
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  const threshold = Math.max(peak * 10 ** (SILENCE_DB / 20), 1e-4);
  let first = 0;
  while (first < samples.length && Math.abs(samples[first] ?? 0) < threshold) first++;
  if (first === samples.length) return { from: 0, to: 0 };
  let last = samples.length - 1;
  while (Math.abs(samples[last] ?? 0) < threshold) last--;
  return { from: Math.max(0, first - margin), to: Math.min(samples.length, last + 1 + margin) };
}

/** Raised cosine on both edges, in place. */
function fade(samples: Float32Array, fadeLength: number): void {
  const n = Math.min(fadeLength, Math.floor(samples.length / 2));
  for (let i = 0; i < n; i++) {
    const gain = 0.5 - 0.5 * Math.cos((Math.PI * (i + 0.5)) / n);
    samples[i] = (samples[i] ?? 0) * gain;
    const j = samples.length - 1 - i;
    samples[j] = (samples[j] ?? 0) * gain;
  }
}
