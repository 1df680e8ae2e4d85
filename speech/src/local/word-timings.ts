import type { WordTiming } from '../engine.ts';
import type { EspeakSpeech } from './espeak.ts';
import type { SpokenText } from './spoken-text.ts';

/** Quieter than this under the peak is silence, dB. */
const SILENCE_DB = -42;

/**
 * espeak's word events as words of the text. A number or a spelled word makes several events at the same place, which become
 * one word; what espeak says without an event of its own (the second half of "re-do") is added to the word before it.
 * Samples stay in espeak's time.
 */
export function wordTimings(text: string, { offsets }: SpokenText, speech: EspeakSpeech): WordTiming[] {
  const count = offsets.length - 1;
  const words: WordTiming[] = [];
  const starts: number[] = [];
  for (const event of speech.words) {
    const first = Math.min(Math.max(0, event.position), count - 1);
    const last = Math.min(Math.max(first, first + event.length - 1), count - 1);
    const charStart = offsets[first] ?? 0;
    const charEnd = Math.max(charStart + 1, offsets[last + 1] ?? text.length);
    const previous = words.at(-1);
    if (previous && charStart < previous.charEnd && charStart >= previous.charStart) {
      previous.charEnd = Math.max(previous.charEnd, charEnd);
      continue;
    }
    words.push({ charStart, charEnd, startSample: event.sample, endSample: event.sample });
    starts.push(event.sample);
  }
  const limits = [...starts, ...speech.clauseEnds, speech.samples.length].toSorted((a, b) => a - b);
  const threshold = peakOf(speech.samples) * 10 ** (SILENCE_DB / 20);
  let limit = 0;
  words.forEach((word, i) => {
    trimToWord(word, text, words[i + 1]?.charStart ?? text.length);
    while (limit < limits.length - 1 && (limits[limit] ?? 0) <= word.startSample) limit++;
    word.startSample = Math.min(word.startSample, speech.samples.length);
    word.endSample = soundEnd(
      speech.samples,
      word.startSample,
      Math.min(limits[limit] ?? 0, speech.samples.length),
      threshold,
    );
  });
  return words;
}

/** Takes in what is left of the run of characters, and lets go of the white space around it. */
function trimToWord(word: WordTiming, text: string, nextStart: number): void {
  const rest = nextStart > word.charEnd ? text.slice(word.charEnd, nextStart) : '';
  const tail = /^\S*[\p{L}\p{N}\p{M}]/u.exec(rest.slice(0, 256));
  if (tail) word.charEnd += tail[0].length;
  while (word.charEnd - 1 > word.charStart && /[\s\p{P}\p{Cf}]/u.test(text[word.charEnd - 1] ?? '')) word.charEnd--;
  while (word.charStart + 1 < word.charEnd && /[\s\p{Cf}]/u.test(text[word.charStart] ?? '')) word.charStart++;
}

function peakOf(samples: Float32Array): number {
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  return peak;
}

/** Where the sound before `to` falls silent; `to` where nothing is heard at all. */
function soundEnd(samples: Float32Array, from: number, to: number, threshold: number): number {
  let end = to;
  while (end > from && Math.abs(samples[end - 1] ?? 0) < threshold) end--;
  return end === from ? to : end;
}
