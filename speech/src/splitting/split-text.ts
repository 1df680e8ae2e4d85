import { endsWithAbbreviation } from './abbreviations.ts';

/** What stands at the end of a chunk: how long a pause belongs there. */
export type ChunkBoundary = 'paragraph' | 'sentence' | 'clause' | 'word' | 'character';

/** UTF-16 offsets into the text, `end` exclusive. */
export interface TextChunk {
  start: number;
  end: number;
  boundary: ChunkBoundary;
}

export interface SplitOptions {
  /** Longest chunk, UTF-16 units (default 300). */
  maxChars?: number;
  /** Longest first chunk: short, so that sound comes early (default `maxChars`). */
  firstMaxChars?: number;
  /** BCP 47 tag that word and sentence rules are taken from. */
  locale?: string;
}

/** A piece shorter than this part of the limit is only made where the text leaves no better place. */
const LEAST_FILL = 0.3;
/** How far past the limit a boundary's surroundings are looked at. */
const LOOKAHEAD = 32;

/**
 * Cuts a text into chunks that cover it without gap or overlap. White space stays with the chunk before it. A chunk
 * ends at the last paragraph or sentence end within the limit, else after a clause, else between words, else
 * between graphemes. Surrogate pairs are never cut, nor graphemes unless one alone is longer than the limit.
 * Linear in the text's length.
 */
export function splitText(text: string, options: SplitOptions = {}): TextChunk[] {
  const maxChars = atLeastTwo(options.maxChars ?? 300);
  const firstMax = Math.min(maxChars, atLeastTwo(options.firstMaxChars ?? maxChars));
  const rules = new BoundaryRules(options.locale);
  const chunks: TextChunk[] = [];
  for (let start = 0; start < text.length;) {
    const limit = chunks.length === 0 ? firstMax : maxChars;
    const chunk = rules.next(text, start, limit);
    chunks.push(chunk);
    start = chunk.end;
  }
  return chunks;
}

function atLeastTwo(value: number): number {
  if (!Number.isInteger(value) || value < 2)
    throw new RangeError(`A chunk holds at least 2 UTF-16 units, got ${String(value)}`);
  return value;
}

class BoundaryRules {
  readonly #sentences: Intl.Segmenter;
  readonly #words: Intl.Segmenter;
  readonly #graphemes: Intl.Segmenter;

  constructor(locale: string | undefined) {
    this.#sentences = new Intl.Segmenter(locale, { granularity: 'sentence' });
    this.#words = new Intl.Segmenter(locale, { granularity: 'word' });
    this.#graphemes = new Intl.Segmenter(locale, { granularity: 'grapheme' });
  }

  next(text: string, start: number, limit: number): TextChunk {
    if (text.length - start <= limit) return { start, end: text.length, boundary: 'paragraph' };
    const window = text.slice(start, start + limit + LOOKAHEAD);
    const least = Math.max(1, Math.floor(limit * LEAST_FILL));
    const at = (offset: number, boundary: ChunkBoundary): TextChunk => ({ start, end: start + offset, boundary });

    const sentences = this.#sentenceEnds(window, limit);
    const paragraph = sentences.findLast((end) => end >= least && /\n\s*$/u.test(window.slice(0, end)));
    if (paragraph !== undefined && paragraph >= limit / 2) return at(paragraph, 'paragraph');
    const sentence = sentences.findLast((end) => end >= least);
    if (sentence !== undefined) return at(sentence, sentence === paragraph ? 'paragraph' : 'sentence');
    const clause = clauseEnds(window, limit).findLast((end) => end >= least);
    if (clause !== undefined) return at(clause, 'clause');
    const early = sentences.at(-1);
    const word = this.#wordEnd(window, limit);
    // Before a word that fills the whole window, an early sentence end beats a cut inside the word.
    if (early !== undefined && word < least) return at(early, 'sentence');
    if (word >= least) return at(word, 'word');
    return at(this.#graphemeEnd(window, limit), 'character');
  }

  #sentenceEnds(window: string, limit: number): number[] {
    const ends: number[] = [];
    for (const { index, segment } of this.#sentences.segment(window)) {
      const end = index + segment.length;
      if (end > limit) break;
      if (!endsWithAbbreviation(window.slice(0, end))) ends.push(end);
    }
    return ends;
  }

  /** The last place between words that is at most `limit`; 0 where there is none. */
  #wordEnd(window: string, limit: number): number {
    let best = 0;
    let previous = '';
    for (const { index, segment } of this.#words.segment(window)) {
      if (index > limit) break;
      // White space and closing punctuation stay with what they follow.
      const follows = /^[\s\p{Pe}\p{Pf}\p{Po}\p{Pd}]/u.test(segment);
      const joins = /[\p{Ps}\p{Pi}]$/u.test(previous);
      if (index > 0 && !follows && !joins) best = index;
      previous = segment;
    }
    return best;
  }

  #graphemeEnd(window: string, limit: number): number {
    let best = 0;
    for (const { index } of this.#graphemes.segment(window)) {
      if (index > limit) break;
      best = index;
    }
    if (best > 0) return best;
    // One grapheme longer than a chunk (a pile of combining marks): between code points.
    const unit = window.charCodeAt(limit);
    return unit >= 0xdc00 && unit <= 0xdfff && isHighSurrogate(window.charCodeAt(limit - 1)) ? limit - 1 : limit;
  }
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

/** After a comma, semicolon, colon, dash or their CJK, Arabic and Devanagari kin, with closing marks and white space. */
const CLAUSE = /(?:[,;:](?=\s)|\s[–—-](?=\s)|—|[，、；：،؛।॥…])[\p{Pe}\p{Pf}"']*\s*/gu;

function clauseEnds(window: string, limit: number): number[] {
  const ends: number[] = [];
  for (const match of window.matchAll(CLAUSE)) {
    const end = match.index + match[0].length;
    if (end > limit) break;
    ends.push(end);
  }
  return ends;
}
