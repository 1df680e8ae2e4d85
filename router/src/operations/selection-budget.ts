import { refusal } from './refusal.ts';

/** Fifty thousand selections, forty levels deep: more than any limit lets in that is not made of fragments. */
const MAX_LEVELS = 2_000_000;

/**
 * Bounds what an operation becomes where its fragments are written out. The limits count its fields; a long chain of
 * fragments around each of them, or a fragment for each of many types, makes far more of the same document.
 *
 * @returns what is to be told the level of each selection that is made, as it is printed with so much indentation
 * @throws OperationRefused (what is returned) with OPERATION_LIMIT_EXCEEDED
 */
export function createSelectionBudget(): (level: number) => void {
  let left = MAX_LEVELS;
  return (level) => {
    left -= level;
    if (left < 0) {
      throw refusal('OPERATION_LIMIT_EXCEEDED', 'The operation is too large with its fragments written out.');
    }
  };
}
