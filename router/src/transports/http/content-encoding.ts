export type ContentEncoding = 'br' | 'gzip';

const MAX_KNOWN = 100;
/** Clients send one of few values, and each with every request. */
const known = new Map<string, ContentEncoding | null>();

/**
 * The encoding that a client takes best, of those that there are here (RFC 9110, section 12.5.3); null: none. Where it
 * takes both as well, br: it makes less of the same.
 */
export function negotiateEncoding(accept: string | undefined): ContentEncoding | null {
  if (accept === undefined) return null;
  let encoding = known.get(accept);
  if (encoding === undefined) {
    encoding = choose(accept);
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(accept, encoding);
  }
  return encoding;
}

function choose(accept: string): ContentEncoding | null {
  const qualities = new Map<string, number>();
  for (const range of accept.toLowerCase().split(',')) {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim());
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    const quality = Number(weight ?? '1');
    qualities.set(name === 'x-gzip' ? 'gzip' : name, quality >= 0 && quality <= 1 ? quality : 0);
  }
  const qualityOf = (name: string) => qualities.get(name) ?? qualities.get('*') ?? 0;
  const [br, gzip] = [qualityOf('br'), qualityOf('gzip')];
  // What is not named at all is taken, but nobody asked for it to be preferred less than the others.
  const identity = qualities.get('identity') ?? 0;
  if (Math.max(br, gzip) === 0 || Math.max(br, gzip) < identity) return null;
  return br >= gzip ? 'br' : 'gzip';
}
