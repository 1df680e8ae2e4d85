/** How long an answer may be kept, and by whom it may be had again. */
export interface Caching {
  /** May be sent to everybody; otherwise only to whom it was sent before. */
  isPublic: boolean;
  /** Seconds from when the subgraph made it; null where it does not say. */
  maxAge: number | null;
  /** Seconds in which it may be sent once more while it is asked for again. */
  staleWhileRevalidate: number;
}

const MAX_REMEMBERED = 1_000;
const MAX_LENGTH = 1_000;
const remembered = new Map<string, Caching | null>();

/**
 * Reads `Cache-Control` as a shared cache does (RFC 9111), only stricter: what is not said to be `public` is private.
 *
 * @returns null where the answer must not be kept
 */
export function readCacheControl(header: string): Caching | null {
  const known = remembered.get(header);
  if (known !== undefined) return known;
  if (header.length > MAX_LENGTH) return null;
  const caching = parse(header);
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  remembered.set(header, caching);
  return caching;
}

/** Seconds since the subgraph, or a cache before it, had made the answer. */
export function readAge(header: string | undefined): number {
  return header === undefined ? 0 : (seconds(header.trim()) ?? 0);
}

function parse(header: string): Caching | null {
  const directives = new Map<string, string | undefined>();
  for (const part of header.split(',')) {
    const [name = '', value] = part.split('=', 2);
    directives.set(name.trim().toLowerCase(), value?.trim().replace(/^"(.*)"$/, '$1'));
  }
  if (directives.has('no-store') || directives.has('no-cache')) return null;
  const given = directives.get('s-maxage') ?? directives.get('max-age');
  const maxAge = given === undefined ? null : seconds(given);
  // What cannot be read may mean anything.
  if (given !== undefined && maxAge === null) return null;
  const mustRevalidate = directives.has('must-revalidate') || directives.has('proxy-revalidate');
  const stale = seconds(directives.get('stale-while-revalidate') ?? '') ?? 0;
  return {
    isPublic: directives.has('public') && !directives.has('private'),
    maxAge,
    staleWhileRevalidate: mustRevalidate ? 0 : stale,
  };
}

function seconds(text: string): number | null {
  return /^\d{1,10}$/.test(text) ? Number(text) : null;
}
