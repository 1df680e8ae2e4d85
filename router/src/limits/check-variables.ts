import type { OperationLimits } from './operation-limits.ts';
import { limitExceeded } from './scan-document.ts';

/**
 * Bounds the lists and the nesting of variables, before anything is done for each of their values.
 *
 * @throws OperationRefused with OPERATION_LIMIT_EXCEEDED
 */
export function checkVariables(variables: Readonly<Record<string, unknown>>, limits: OperationLimits): void {
  for (const name in variables) {
    const value = variables[name];
    if (typeof value === 'object' && value !== null) checkValue(value, 1, limits);
  }
}

/** Its recursion ends at the limit, whatever was sent. */
function checkValue(value: object, depth: number, limits: OperationLimits): void {
  if (depth > limits.maxInputDepth) throw limitExceeded('inputDepth', limits.maxInputDepth, depth, true);
  if (Array.isArray(value) && value.length > limits.maxListLength) {
    throw limitExceeded('listLength', limits.maxListLength, value.length);
  }
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null) checkValue(inner, depth + 1, limits);
  }
}
