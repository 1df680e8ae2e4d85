/** JSON in which the order of an object's keys does not show. Of what JSON can say; the order of a list does show. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`;
  let json = '{';
  for (const [key, inner] of entriesOf(value)) {
    if (inner === undefined) continue;
    json += `${json === '{' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(inner)}`;
  }
  return `${json}}`;
}

function entriesOf(value: object): [string, unknown][] {
  const entries: [string, unknown][] = Object.entries(value);
  return entries.length < 2 ? entries : entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
}
