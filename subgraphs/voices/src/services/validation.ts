import { checkText as checkTyped, type TextRule } from '@timbre/platform/check-text';
import { idempotencyKeyProblem } from '@timbre/platform/idempotency-key';
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

/** The text as it is stored: trimmed, NFC. What is wrong with it goes to `problems`. */
export function checkText(problems: Problems, path: string[], value: string, rule: TextRule): string {
  const checked = checkTyped(value, rule);
  for (const { code, message } of checked.problems) problems.add(code, path, message);
  return checked.text;
}

export function checkKey(problems: Problems, path: string[], key: string): void {
  const problem = idempotencyKeyProblem(key);
  if (problem !== null) problems.add(problem.code, path, problem.message);
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
