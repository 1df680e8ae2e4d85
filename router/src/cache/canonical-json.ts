/** JSON in which the order of an object's keys does not show. Of what JSON can say; the order of a list does show. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`;
  return objectJson(value);
}

function objectJson(value: object): string {
  const keys = Object.keys(value);
  if (keys.length > 1) keys.sort();
  let json = '';
  for (const key of keys) {
    const inner: unknown = Reflect.get(value, key);
    if (inner !== undefined) json += `${json === '' ? '{' : ','}${JSON.stringify(key)}:${canonicalJson(inner)}`;
  }
  return json === '' ? '{}' : `${json}}`;
}
