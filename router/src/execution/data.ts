/** An object as subgraphs send it, under the response names of the plan. */
export type Data = Record<string, unknown>;

export function isData(value: unknown): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isList(value: unknown): value is unknown[] {
  return Array.isArray(value);
}

/** JSON may name a key that assignment would take for the prototype. */
export function setOwn(target: Data, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  } else target[key] = value;
}

/** A copy that can be added to: everything in JSON but the leaves is new. */
export function copyData(data: Data): Data {
  const copy = { ...data };
  for (const key in copy) {
    const value = copy[key];
    if (typeof value === 'object' && value !== null) setOwn(copy, key, copyValue(value));
  }
  return copy;
}

export function copyValue(value: unknown): unknown {
  if (isList(value)) return value.map(copyValue);
  return isData(value) ? copyData(value) : value;
}
