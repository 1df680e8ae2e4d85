import type { WordTuple } from '@timbre/db/tts/tables';
import { encodeWav } from '@timbre/speech/codecs/wav';
import type { Speech } from '@timbre/speech/engine';
import { createJoiner, placeWords } from '@timbre/speech/joining/joiner';
import type { ChunkBoundary } from '@timbre/speech/splitting/split-text';

export interface ChunkShape {
  /** Where the chunk's text begins in the whole. */
  charStart: number;
  /** What ends the chunk's text; null for the last chunk. */
  boundary: ChunkBoundary | null;
  speed: number;
}

export interface ShapedChunk {
  /** 16-bit WAV. */
  wav: Uint8Array;
  sampleCount: number;
  /** Offsets into the whole text, samples into this chunk. */
  words: WordTuple[];
}

const NO_SOUND = new Float32Array(0);

/**
 * Makes a chunk that only needs to be laid end to end with its neighbours: silence trimmed, edges faded, and behind it
 * the pause that its end asks for. So each chunk's place in the whole is the sum of the sample counts before it,
 * whatever order they are made in, and a client that plays chunk after chunk hears what the whole will be.
 */
export function shapeChunk(
  { samples, sampleRate, words }: Speech,
  { charStart, boundary, speed }: ChunkShape,
): ShapedChunk {
  const joiner = createJoiner({ sampleRate, speed });
  const piece = joiner.push(samples, boundary ?? 'paragraph');
  // Pushed behind a chunk, one without sound is just the pause.
  const pause = boundary === null ? joiner.finish() : joiner.push(NO_SOUND, boundary).samples;
  const joined = new Float32Array(piece.samples.length + pause.length);
  joined.set(piece.samples);
  joined.set(pause, piece.samples.length);
  return {
    wav: encodeWav(joined, sampleRate),
    sampleCount: joined.length,
    words: placeWords(words, piece).map((word): WordTuple => [
      charStart + word.charStart,
      charStart + word.charEnd,
      word.startSample,
      word.endSample,
    ]),
  };
}
