export interface TextRule {
  /** How messages call it: "The name". */
  what: string;
  /** Graphemes. */
  min: number;
  max: number;
  /** Line breaks and tabs are allowed. */
  multiline?: boolean;
}

export interface TextProblem {
  /** TOO_LONG, TOO_SHORT or INVALID_CHARACTERS. */
  code: 'TOO_LONG' | 'TOO_SHORT' | 'INVALID_CHARACTERS';
  /** Names the limit and what was sent. */
  message: string;
}

/**
 * C0 and C1 controls, line and paragraph separators, lone surrogates and what turns the direction of
 * text around (Unicode Technical Report 36, section 3). Joiners stay: emoji and several scripts need them.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u2028\u2029\u202A-\u202E\u2066-\u2069]/u;
const UNPRINTABLE_BUT_LINE_BREAKS = /(?![\n\r\t])[\p{Cc}\p{Cs}\u202A-\u202E\u2066-\u2069]/u;

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
/** A family emoji with skin tones takes 11 code units; stacked combining marks have no end. */
const CODE_UNITS_PER_GRAPHEME = 12;

/** A short text that a person typed, as it is stored (trimmed, NFC), and what is wrong with it. */
export function checkText(value: string, rule: TextRule): { text: string; problems: TextProblem[] } {
  const { what, min, max, multiline = false } = rule;
  // Before anything walks over it: the body may hold megabytes.
  if (value.length > (max + 1) * CODE_UNITS_PER_GRAPHEME) {
    const message = `${what} may have at most ${max} characters; ${value.length} code units were sent.`;
    return { text: '', problems: [{ code: 'TOO_LONG', message }] };
  }
  const text = value.normalize('NFC').trim();
  const problems: TextProblem[] = [];
  if ((multiline ? UNPRINTABLE_BUT_LINE_BREAKS : UNPRINTABLE).test(text)) {
    problems.push({ code: 'INVALID_CHARACTERS', message: `${what} may not contain control characters.` });
  }
  const length = Array.from(graphemes.segment(text)).length;
  if (length > max) {
    problems.push({ code: 'TOO_LONG', message: `${what} may have at most ${max} characters, not ${length}.` });
  }
  if (length < min) {
    problems.push({ code: 'TOO_SHORT', message: `${what} must have at least ${min} character, not ${length}.` });
  }
  return { text, problems };
}
