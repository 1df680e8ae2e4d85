/**
 * The object that a JSON text is.
 *
 * @throws SyntaxError where it is no JSON, no object, or a name stands twice in one object: what reads the first and what
 * reads the last would see two different things (RFC 8259 section 4, RFC 7519 section 4)
 */
export function parseStrictObject(text: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new SyntaxError('not an object');
  refuseRepeatedNames(text);
  return Object.fromEntries(Object.entries(value));
}

/** Of a text that is known to be JSON. */
function refuseRepeatedNames(text: string): void {
  /** The names of each object that is open; null for an array. */
  const open: (Set<string> | null)[] = [];
  let isName = false;
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i];
    if (character === '"') {
      const end = endOfString(text, i);
      const names = open.at(-1);
      if (isName && names) {
        // As it is read: an escape is another spelling of the same name.
        const name = String(JSON.parse(text.slice(i, end + 1)));
        if (names.has(name)) throw new SyntaxError('a name stands twice');
        names.add(name);
      }
      isName = false;
      i = end;
    } else if (character === '{' || character === '[') {
      isName = character === '{';
      open.push(isName ? new Set() : null);
    } else if (character === '}' || character === ']') {
      open.pop();
    } else if (character === ',') {
      isName = open.at(-1) !== null;
    }
  }
}

function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i;
}
