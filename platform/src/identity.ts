import { createHmac, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { AppError } from './errors.ts';

/** The header that carries the signed identity from the router to a subgraph. */
export const IDENTITY_HEADER = 'x-timbre-identity';
export const REQUEST_ID_HEADER = 'x-request-id';

/** What the caller came with: for who ends sessions, and for telling keys from people. */
export interface Credential {
  kind: 'token' | 'key';
  /** A token's `jti`, or a digest of the token where it has none; a key's id. */
  id: string;
  /** A token's `sid`: the session at its issuer, which other tokens belong to as well. */
  session: string | null;
  /** Unix seconds. */
  issuedAt: number | null;
  /** Unix seconds. */
  expiresAt: number | null;
}

/** What the router found out about the caller. `userId: null` is the anonymous caller, signed like any other. */
export interface Identity {
  userId: string | null;
  roles: string[];
  scopes: string[];
  plan: string | null;
  /** Null or absent for the anonymous and for the system itself. */
  credential?: Credential | null | undefined;
  /** Unix seconds. */
  expiresAt: number;
}

export const ANONYMOUS: Omit<Identity, 'expiresAt'> = { userId: null, roles: [], scopes: [], plan: null };

/** The role of calls that the system makes on its own behalf, as router → users. */
export const SERVICE_ROLE = 'service';

const credentialSchema = z.object({
  kind: z.enum(['token', 'key']),
  id: z.string().min(1),
  session: z.string().min(1).nullable(),
  issuedAt: z.number().nullable(),
  expiresAt: z.number().nullable(),
});

const identitySchema = z.object({
  userId: z.string().min(1).nullable(),
  roles: z.array(z.string()),
  scopes: z.array(z.string()),
  plan: z.string().nullable(),
  credential: credentialSchema.nullish(),
  expiresAt: z.number().int().positive(),
});

const VERSION = 'v1';
const MAX_TOKEN_LENGTH = 8192;

function macOf(secret: string, payload: string): Buffer {
  return createHmac('sha256', secret).update(`timbre-identity.${VERSION}.${payload}`).digest();
}

/** Signs identities as `v1.<base64url JSON>.<base64url HMAC-SHA256>`. Sign once per principal and reuse the string. */
export function createIdentitySigner(secret: string): (identity: Identity) => string {
  return (identity) => {
    const payload = Buffer.from(JSON.stringify(identitySchema.parse(identity)), 'utf8').toString('base64url');
    return `${VERSION}.${payload}.${macOf(secret, payload).toString('base64url')}`;
  };
}

/** @throws AppError UNAUTHENTICATED when the token is absent, forged, malformed or past its expiry. */
export type IdentityVerifier = (token: string | undefined) => Identity;

export interface IdentityVerifierOptions {
  /** Unix milliseconds. */
  now?: () => number;
  maxCached?: number;
}

/**
 * Verified tokens are remembered till they expire: the router sends the same string for a
 * principal for 30 s, so that a busy principal costs one HMAC per subgraph and half minute.
 */
export function createIdentityVerifier(secret: string, options: IdentityVerifierOptions = {}): IdentityVerifier {
  const now = options.now ?? Date.now;
  const verified = new LRUCache<string, Identity>({ max: options.maxCached ?? 10_000 });

  return (token) => {
    if (token === undefined || token === '')
      throw refuse('This service answers the router only: no identity was sent.');
    let identity = verified.get(token);
    if (identity === undefined) {
      identity = check(secret, token);
      verified.set(token, identity);
    }
    if (identity.expiresAt * 1000 <= now()) {
      verified.delete(token);
      throw refuse('The identity has expired.');
    }
    return identity;
  };
}

function check(secret: string, token: string): Identity {
  const [version, payload, signature, ...rest] = token.length > MAX_TOKEN_LENGTH ? [] : token.split('.');
  if (version !== VERSION || payload === undefined || signature === undefined || rest.length > 0) {
    throw refuse('The identity is malformed.');
  }
  const expected = macOf(secret, payload);
  const actual = Buffer.from(signature, 'base64url');
  // Node's base64url decoding is lenient; comparing the text again refuses a second spelling of the same bytes.
  if (
    actual.length !== expected.length ||
    !timingSafeEqual(actual, expected) ||
    actual.toString('base64url') !== signature
  ) {
    throw refuse('The identity is not signed by this system.');
  }
  const parsed = identitySchema.safeParse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')));
  if (!parsed.success) throw refuse('The identity is malformed.');
  const { roles, scopes } = parsed.data;
  // Shared between requests from here on, so that nobody can widen somebody else's rights.
  Object.freeze(roles);
  Object.freeze(scopes);
  return Object.freeze(parsed.data);
}

function refuse(message: string): AppError {
  return new AppError('UNAUTHENTICATED', message);
}
