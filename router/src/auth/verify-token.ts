import { hash } from 'node:crypto';
import { AppError } from '@timbre/platform/errors';
import { jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { KeySet } from './key-set.ts';
import { tokenError } from './token-error.ts';

export interface VerifyOptions {
  /** Compared exactly: a trailing slash counts. */
  issuer: string;
  audience: string;
  keys: KeySet;
  /** Leeway of `exp` and `nbf` between clocks, at most 60 s; default 5. */
  skewSeconds?: number;
  /** Verified tokens that are remembered until they expire; default 10,000. */
  cacheSize?: number;
  /** Unix milliseconds. */
  now?: () => number;
}

/** What a verified token says. */
export interface TokenClaims {
  issuer: string;
  subject: string;
  email: string | null;
  scopes: readonly string[];
  /** Unix seconds. */
  expiresAt: number;
}

/** @throws AppError UNAUTHENTICATED that says what is wrong; SERVICE_UNAVAILABLE without any keys to verify by */
export type VerifyToken = (token: string) => Promise<TokenClaims>;

/** Never from the token's own header: that is how `none` and HMAC with a public key come in. */
const ALGORITHMS = ['RS256', 'ES256'];
const ACCESS_TOKEN_TYPES: ReadonlySet<unknown> = new Set([undefined, 'jwt', 'at+jwt', 'application/at+jwt']);
const MAX_TOKEN_LENGTH = 16_384;

const claimsSchema = z.object({
  iss: z.string(),
  sub: z.string().min(1).max(1024),
  exp: z.number(),
  email: z.string().max(320).optional(),
  scope: z.string().optional(),
  permissions: z.array(z.string()).optional(),
});

/** Verifies access tokens (RFC 9068, OpenID Connect core) of one issuer for one audience. */
export function createTokenVerifier(options: VerifyOptions): VerifyToken {
  const { issuer, audience, keys, cacheSize = 10_000, now = Date.now } = options;
  const clockTolerance = Math.min(60, options.skewSeconds ?? 5);
  const verified = new LRUCache<string, TokenClaims>({ max: cacheSize });

  async function verify(token: string): Promise<TokenClaims> {
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      issuer,
      audience,
      algorithms: ALGORITHMS,
      clockTolerance,
      currentDate: new Date(now()),
      requiredClaims: ['iss', 'sub', 'aud', 'exp'],
    });
    if (!ACCESS_TOKEN_TYPES.has(protectedHeader.typ?.toLowerCase()) || isIdToken(payload)) {
      throw new AppError('UNAUTHENTICATED', 'The token is not an access token.');
    }
    const claims = claimsSchema.safeParse(payload);
    if (!claims.success) throw new AppError('UNAUTHENTICATED', "The token's claims are not of the expected form.");
    const { iss, sub, exp, email } = claims.data;
    return { issuer: iss, subject: sub, email: email ?? null, scopes: scopesOf(claims.data), expiresAt: exp };
  }

  return async (token) => {
    if (token.length > MAX_TOKEN_LENGTH) {
      throw new AppError('UNAUTHENTICATED', `The token is longer than ${MAX_TOKEN_LENGTH} characters.`);
    }
    const key = hash('sha256', token, 'base64');
    const known = verified.get(key);
    if (known !== undefined) {
      if (known.expiresAt + clockTolerance > now() / 1000) return known;
      verified.delete(key);
      throw new AppError('UNAUTHENTICATED', 'The token has expired.');
    }
    try {
      const claims = await verify(token);
      verified.set(key, claims);
      return claims;
    } catch (error) {
      throw tokenError(error);
    }
  };
}

/**
 * What a token without `permissions` may is its `scope`. One with permissions (Auth0's role-based
 * access) may what both allow: what the client was granted and what the user holds.
 */
function scopesOf({ scope = '', permissions }: z.output<typeof claimsSchema>): string[] {
  const scopes = [...new Set(scope.split(' ').filter((item) => item !== ''))];
  return permissions === undefined ? scopes : scopes.filter((item) => permissions.includes(item));
}

/** By the claims that only ID tokens carry (OpenID Connect core 2, 3.3.2.11; Keycloak; Cognito). */
function isIdToken(payload: Readonly<Record<string, unknown>>): boolean {
  return (
    ['nonce', 'at_hash', 'c_hash', 's_hash'].some((claim) => claim in payload) ||
    payload['typ'] === 'ID' ||
    payload['token_use'] === 'id'
  );
}
