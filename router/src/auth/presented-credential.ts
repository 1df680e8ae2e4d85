import { hash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { API_KEY_PREFIX } from '@timbre/platform/api-key';
import { AppError } from '@timbre/platform/errors';
import { LRUCache } from 'lru-cache';
import type { TokenSource } from './trusted-issuer.ts';
import { isSameSource } from './verify-token.ts';

/** What a caller identifies itself with, as it was sent. */
export interface PresentedCredential {
  text: string;
  /** Undefined for an API key, which may stand in any header. */
  source: TokenSource | undefined;
  /** The same for the same credential at the same place: what caches know it by, instead of by its text. */
  id: string;
}

/** Null where nothing is presented. @throws AppError UNAUTHENTICATED, or BAD_REQUEST for two at once (RFC 6750 section 3.1) */
export type ReadCredential = (headers: IncomingHttpHeaders) => PresentedCredential | null;

/** Values of a header, so that a client that sends the same with every request has it read and hashed once. */
const MAX_RECENT = 1_000;
const MAX_RECENT_CHARACTERS = 4_096;
const API_KEY_HEADER = 'x-api-key';
const BARE = /^(\S+)$/;
const PREFIXED = /^ +(\S+)$/;

/** Looks in all places that are configured; two credentials that differ are refused, whichever they are. */
export function createCredentialReader(
  sources: readonly TokenSource[],
  { apiKeys }: { apiKeys: boolean },
): ReadCredential {
  const distinct = sources.filter((source, i) => sources.findIndex((other) => isSameSource(other, source)) === i);
  const readers = new Map<string, (headers: IncomingHttpHeaders) => PresentedCredential | null>();
  for (const source of distinct) {
    if ('cookie' in source) readers.set(`cookie ${source.cookie}`, (headers) => fromCookie(headers, source));
    else {
      const header = source.header.toLowerCase();
      const here = distinct.filter((other) => 'header' in other && other.header.toLowerCase() === header);
      if (!readers.has(header)) readers.set(header, headerReader(header, here));
    }
  }
  if (apiKeys && !readers.has(API_KEY_HEADER)) {
    readers.set(API_KEY_HEADER, headerReader(API_KEY_HEADER, [{ header: API_KEY_HEADER, prefix: null }]));
  }
  const [first, ...others] = readers.values();

  return (headers) => {
    let found = first?.(headers) ?? null;
    for (const read of others) {
      const next = read(headers);
      if (next === null) continue;
      if (found !== null && found.text !== next.text) throw moreThanOne();
      found ??= next;
    }
    return found;
  };
}

/** A request's headers with every value of `Authorization`, of which node:http keeps only the first. */
export function headersWithCredentials(req: IncomingMessage): IncomingHttpHeaders {
  const { headers, rawHeaders } = req;
  let seen = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name?.length === 13 && name.toLowerCase() === 'authorization') seen += 1;
  }
  return seen < 2 ? headers : { ...headers, authorization: (req.headersDistinct['authorization'] ?? []).join(', ') };
}

function headerReader(
  header: string,
  sources: readonly TokenSource[],
): (headers: IncomingHttpHeaders) => PresentedCredential | null {
  const forms = sources.flatMap((source) =>
    'cookie' in source ? [] : [{ source, prefix: source.prefix?.toLowerCase() ?? null }],
  );
  const recent = new LRUCache<string, PresentedCredential>({ max: MAX_RECENT });

  function read(value: string): PresentedCredential | null {
    const text = value.trim();
    if (text === '') return null;
    for (const [index, { source, prefix }] of forms.entries()) {
      const isOfForm = prefix === null || text.slice(0, prefix.length).toLowerCase() === prefix;
      const credential = isOfForm
        ? (prefix === null ? BARE : PREFIXED).exec(text.slice(prefix?.length ?? 0))?.[1]
        : undefined;
      // Several values of one header come as one, with commas.
      if (isOfForm && credential === undefined && text.includes(',')) throw moreThanOne();
      if (credential === undefined) continue;
      if (credential.startsWith(API_KEY_PREFIX)) return present(credential, undefined, 'key');
      const isUsual = header === 'authorization' && index === 0;
      return present(credential, source, isUsual ? '' : `${header} ${index} `);
    }
    const expected = forms.map(({ source: { prefix } }) => (prefix === null ? 'a token' : `"${prefix}" and a token`));
    throw new AppError('UNAUTHENTICATED', `The ${nameOf(header)} header must be ${expected.join(' or ')}.`);
  }

  return (headers) => {
    const sent = headers[header];
    if (sent === undefined) return null;
    const value = typeof sent === 'string' ? sent : sent.join(', ');
    const known = recent.get(value);
    if (known !== undefined) return known;
    const presented = read(value);
    if (presented !== null && value.length <= MAX_RECENT_CHARACTERS) recent.set(value, presented);
    return presented;
  };
}

/** @param place tells sources apart; empty for the usual one */
function present(text: string, source: TokenSource | undefined, place: string): PresentedCredential {
  return { text, source, id: place + hash('sha256', text, 'base64') };
}

function fromCookie(headers: IncomingHttpHeaders, source: { cookie: string }): PresentedCredential | null {
  const { cookie } = headers;
  if (cookie === undefined) return null;
  const start = `${source.cookie}=`;
  let found: string | null = null;
  for (const pair of cookie.split(';')) {
    const text = pair.trim();
    if (!text.startsWith(start)) continue;
    const value = text.slice(start.length).replace(/^"(.*)"$/, '$1');
    // A second one of the name is one that another host of the domain has set.
    if (found !== null && found !== value) throw moreThanOne();
    found = value;
  }
  return found === null || found === '' ? null : present(found, source, `cookie ${source.cookie} `);
}

const nameOf = (header: string) => header.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());

function moreThanOne(): AppError {
  return new AppError('BAD_REQUEST', 'More than one credential was sent: send one token or key, once.');
}
