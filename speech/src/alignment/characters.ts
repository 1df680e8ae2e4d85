import type { WordTiming } from '../engine.ts';

/**
 * Spreads word timings over the text's graphemes. Inside a word each takes an equal share of its time; what stands
 * between two words (spaces, punctuation, what is not spoken) shares the time between them. The result covers
 * `[from, to)` of the text without gap or overlap, and its times never fall.
 * `words` is in text order; `endSample` is where the sound ends.
 */
export function alignCharacters(
  text: string,
  words: readonly WordTiming[],
  {
    from = 0,
    to = text.length,
    startSample = 0,
    endSample,
  }: { from?: number; to?: number; startSample?: number; endSample: number },
): WordTiming[] {
  const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  const out: WordTiming[] = [];
  const spread = (charStart: number, charEnd: number, start: number, end: number): void => {
    if (charEnd <= charStart) return;
    const pieces = [...graphemes.segment(text.slice(charStart, charEnd))];
    const share = Math.max(0, end - start) / pieces.length;
    pieces.forEach(({ index, segment }, i) => {
      out.push({
        charStart: charStart + index,
        charEnd: charStart + index + segment.length,
        startSample: Math.round(start + share * i),
        endSample: Math.round(start + share * (i + 1)),
      });
    });
  };
  let char = from;
  let time = startSample;
  for (const word of words) {
    if (word.charStart < char || word.charEnd > to) continue;
    const start = Math.max(time, word.startSample);
    const end = Math.max(start, word.endSample);
    spread(char, word.charStart, time, start);
    spread(word.charStart, word.charEnd, start, end);
    char = word.charEnd;
    time = end;
  }
  spread(char, to, time, Math.max(time, endSample));
  return out;
}
