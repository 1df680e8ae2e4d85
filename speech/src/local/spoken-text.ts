/** What espeak-ng is given for a text, and where each of its characters stands in that text. */
export interface SpokenText {
  /** Empty where there is nothing to say. */
  spoken: string;
  /** UTF-16 offset in the text of each code point of `spoken`, and one more for its end. */
  offsets: Int32Array;
}

const EMOJI = /^[\p{Extended_Pictographic}\p{Regional_Indicator}\p{Emoji_Modifier}\u20E3]$/u;
/** Extended_Pictographic, but signs that are read aloud. */
const SPOKEN_SIGNS = new Set(['©', '®', '™']);
const JOINERS = new Set(['\u200C', '\u200D']);
const SPEAKABLE = /[\p{L}\p{N}\p{S}]/u;

/**
 * espeak-ng reads its input as SSML with `[[phonemes]]`, ends it at a NUL and says the names of emoji: markup is turned into
 * plain characters, and what cannot be said into spaces. Invisible formatting (bidi marks, soft hyphens, variation
 * selectors) is dropped, but for the joiners that Persian and Indic spelling needs.
 */
export function spokenText(text: string): SpokenText {
  let spoken = '';
  const offsets: number[] = [];
  let previous = ' ';
  let speakable = false;
  for (let at = 0; at < text.length;) {
    const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
    const said = replacement(character, previous);
    for (const c of said) {
      offsets.push(at);
      spoken += c;
    }
    if (said !== '') {
      previous = said;
      speakable ||= said !== ' ' && SPEAKABLE.test(said);
    }
    at += character.length;
  }
  offsets.push(text.length);
  return speakable
    ? { spoken, offsets: Int32Array.from(offsets) }
    : { spoken: '', offsets: Int32Array.of(text.length) };
}

function replacement(character: string, previous: string): string {
  // Most text is letters and spaces.
  if (/^[\p{L}\p{N}\n .,]$/u.test(character)) return character;
  if (character === '&') return '&amp;';
  if (character === '<' || character === '>') return ' ';
  if (character === '[') return '(';
  if (character === ']') return ')';
  if (JOINERS.has(character)) return /[\p{L}\p{M}]$/u.test(previous) ? character : '';
  if (/^\p{Variation_Selector}$/u.test(character)) return '';
  if (/^\p{Cf}$/u.test(character)) return '';
  if (/^[\p{Cc}\p{Cs}\p{Co}\p{Cn}]$/u.test(character)) return ' ';
  if (EMOJI.test(character) && !SPOKEN_SIGNS.has(character)) return ' ';
  return character;
}
