import { AppError } from '@timbre/platform/errors';
import { parseStrictObject } from './strict-json.ts';

/** What a compact JWS says of itself. Nothing of it is verified. */
export interface UnverifiedToken {
  header: Readonly<Record<string, unknown>>;
  payload: Readonly<Record<string, unknown>>;
}

/** Ways of a header to bring its own key, to change what is signed, or to hide it (RFC 7515 section 4.1, RFC 7797, RFC 8725). */
const REFUSED_PARAMETERS = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'enc', 'zip', 'cty'] as const;
const MAX_TOKEN_LENGTH = 16_384;
const MAX_KEY_ID_LENGTH = 512;
const SEGMENT = /^[A-Za-z0-9_-]+$/;

/**
 * Reads a token without trusting it: for choosing by whose keys it is verified, and so that what is verified can be
 * read in one way only.
 *
 * @throws AppError UNAUTHENTICATED
 */
export function readToken(token: string): UnverifiedToken {
  if (token.length > MAX_TOKEN_LENGTH) throw refuse(`The token is longer than ${MAX_TOKEN_LENGTH} characters.`);
  const segments = token.split('.');
  if (segments.length === 5) throw refuse('The token is encrypted; only signed ones are read.');
  const [header, payload, signature] = segments;
  if (segments.length !== 3 || header === undefined || payload === undefined || signature === undefined) {
    throw refuse('The token is not a signed JWT.');
  }
  const read = { header: objectOf(header), payload: objectOf(payload) };
  const parameter = REFUSED_PARAMETERS.find((name) => name in read.header);
  if (parameter !== undefined) throw refuse(`The token's header has "${parameter}", which is not accepted.`);
  const { kid } = read.header;
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KEY_ID_LENGTH)) {
    throw refuse(`The token's key id is not a string of at most ${MAX_KEY_ID_LENGTH} characters.`);
  }
  return read;
}

function objectOf(segment: string): Readonly<Record<string, unknown>> {
  try {
    if (!SEGMENT.test(segment)) throw new SyntaxError('not base64url');
    const bytes = Buffer.from(segment, 'base64url');
    // Node reads leniently: a second spelling of the same bytes is refused.
    if (bytes.toString('base64url') !== segment) throw new SyntaxError('not base64url');
    return parseStrictObject(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    throw refuse('The token is not a signed JWT.', error);
  }
}

function refuse(message: string, cause?: unknown): AppError {
  return new AppError('UNAUTHENTICATED', message, { cause });
}
