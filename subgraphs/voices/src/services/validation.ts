import { LIMITS } from './limits.ts';
import { invalid, Refused, type ValidationRefusal } from './refusals.ts';

/** Collects everything that is wrong with an input, so that a client hears of it all at once. */
export class Problems {
  readonly found: ValidationRefusal[] = [];

  add(code: string, path: string[], message: string): void {
    this.found.push(invalid(code, path, message));
  }

  /** @throws Refused with all that was found. */
  throwIfAny(): void {
    if (this.found.length > 0) throw new Refused(...this.found);
  }
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

export interface TextRule {
  /** How messages call it: "The name". */
  what: string;
  /** Graphemes. */
  min: number;
  max: number;
  multiline?: boolean;
}

/** The text as it is stored: trimmed, NFC. What is wrong with it goes to `problems`. */
export function checkText(problems: Problems, path: string[], value: string, rule: TextRule): string {
  const { what, min, max, multiline = false } = rule;
  // Before anything walks over it: the body may hold megabytes.
  if (value.length > max * CODE_UNITS_PER_GRAPHEME + CODE_UNITS_PER_GRAPHEME) {
    problems.add('TOO_LONG', path, `${what} may have at most ${max} characters; ${value.length} code units were sent.`);
    return '';
  }
  const text = value.normalize('NFC').trim();
  if ((multiline ? UNPRINTABLE_BUT_LINE_BREAKS : UNPRINTABLE).test(text)) {
    problems.add('INVALID_CHARACTERS', path, `${what} may not contain control characters.`);
  }
  const length = [...graphemes.segment(text)].length;
  if (length > max) problems.add('TOO_LONG', path, `${what} may have at most ${max} characters, not ${length}.`);
  if (length < min) problems.add('TOO_SHORT', path, `${what} must have at least ${min} character, not ${length}.`);
  return text;
}

export function checkKey(problems: Problems, path: string[], key: string): void {
  if (key.length >= 1 && key.length <= LIMITS.idempotencyKeyLength && /^[\x21-\x7e]+$/.test(key)) return;
  problems.add(
    'INVALID_IDEMPOTENCY_KEY',
    path,
    `An idempotency key has 1 to ${LIMITS.idempotencyKeyLength} printable ASCII characters without spaces; ${key.length} characters were sent.`,
  );
}

export interface Label {
  key: string;
  value: string;
}

export function checkLabels(problems: Problems, path: string[], labels: readonly Label[]): Label[] {
  if (labels.length > LIMITS.labels) {
    problems.add('TOO_MANY', path, `A voice may have at most ${LIMITS.labels} labels, not ${labels.length}.`);
    return [];
  }
  const seen = new Set<string>();
  return labels.map((label, index) => {
    const at = [...path, String(index)];
    const key = checkText(problems, [...at, 'key'], label.key, {
      what: "A label's key",
      min: 1,
      max: LIMITS.labelKeyLength,
    });
    const value = checkText(problems, [...at, 'value'], label.value, {
      what: "A label's value",
      min: 1,
      max: LIMITS.labelValueLength,
    });
    if (seen.has(key))
      problems.add('DUPLICATE', [...at, 'key'], `The label ${JSON.stringify(key)} stands there twice.`);
    seen.add(key);
    return { key, value };
  });
}

export const NAME: TextRule = { what: 'The name', min: 1, max: LIMITS.nameLength };
export const DESCRIPTION: TextRule = {
  what: 'The description',
  min: 0,
  max: LIMITS.descriptionLength,
  multiline: true,
};

/** An empty description is none. */
export function checkDescription(problems: Problems, path: string[], value: string | null | undefined): string | null {
  if (value === null || value === undefined) return null;
  return checkText(problems, path, value, DESCRIPTION) || null;
}
