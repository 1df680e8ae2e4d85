import type { WordTuple } from '@timbre/db/tts/tables';
import { alignCharacters } from '@timbre/speech/alignment/characters';
import type { WordTiming } from '@timbre/speech/engine';
import type { TokenRow } from '../rows.ts';

export type AlignmentUnit = 'WORD' | 'CHARACTER';

/** A chunk whose place in the joined sound is known. */
export interface PlacedChunk {
  charStart: number;
  charEnd: number;
  /** Of the chunk in the joined sound. */
  startSample: number;
  sampleCount: number;
  sampleRate: number;
  words: readonly WordTuple[];
}

/** Whole milliseconds of a sample's position. */
export const toMs = (sample: number, sampleRate: number): number => Math.round((sample / sampleRate) * 1000);

/**
 * A chunk's words, or its characters (graphemes, with the spaces and marks between words), with offsets into the whole
 * text and times into the joined sound. Times come from sample counts alone, so that they do not drift.
 */
export function tokensOf(text: string, chunk: PlacedChunk, unit: AlignmentUnit): TokenRow[] {
  const { charStart, charEnd, startSample, sampleCount, sampleRate } = chunk;
  const words = chunk.words.map(([start, end, from, to]): WordTiming => ({
    charStart: start,
    charEnd: end,
    startSample: startSample + from,
    endSample: startSample + to,
  }));
  const timings =
    unit === 'WORD'
      ? words
      : alignCharacters(text, words, {
          from: charStart,
          to: charEnd,
          startSample,
          endSample: startSample + sampleCount,
        });
  return timings.map((timing) => ({
    text: text.slice(timing.charStart, timing.charEnd),
    charStart: timing.charStart,
    charEnd: timing.charEnd,
    startMs: toMs(timing.startSample, sampleRate),
    endMs: toMs(timing.endSample, sampleRate),
  }));
}
