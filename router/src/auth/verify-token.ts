import { hash } from 'node:crypto';
import { SERVICE_ROLE } from '@timbre/platform/identity';
import { AppError } from '@timbre/platform/errors';
import { jwtVerify } from 'jose';
import { z } from 'zod';
import { readToken } from './jws.ts';
import { tokenError } from './token-error.ts';
import { BEARER, checkIssuers } from './trusted-issuer.ts';
import type { ClaimNames, TokenSource, TrustedIssuer } from './trusted-issuer.ts';

/** What a verified token says. */
export interface TokenClaims {
  issuer: string;
  subject: string;
  email: string | null;
  scopes: readonly string[];
  roles: readonly string[];
  /** `jti`, or a digest of what is signed where it has none. */
  id: string;
  /** `sid` */
  session: string | null;
  /** Unix seconds. */
  issuedAt: number | null;
  /** Unix seconds, the issuer's leeway not included. */
  expiresAt: number;
  /** Seconds. */
  leeway: number;
}

/**
 * @param source where the token was; undefined for where it does not matter
 * @throws AppError UNAUTHENTICATED that says what is wrong; SERVICE_UNAVAILABLE without any keys to verify by
 */
export type VerifyToken = (token: string, source?: TokenSource) => Promise<TokenClaims>;

/** Never from the token's own header: that is how `none` and HMAC with a public key come in. */
export const DEFAULT_ALGORITHMS = ['RS256', 'ES256'] as const;
export const DEFAULT_SKEW_SECONDS = 5;
export const MAX_SKEW_SECONDS = 60;
const ACCESS_TOKEN_TYPES: ReadonlySet<unknown> = new Set([undefined, 'jwt', 'at+jwt', 'application/at+jwt']);
const DEFAULT_CLAIMS = { scopes: ['scope'], permissions: 'permissions', roles: null, email: ['email'] } as const;

const claimsSchema = z.object({
  iss: z.string(),
  sub: z.string().min(1).max(1024),
  exp: z.number(),
  iat: z.number().nullish(),
  jti: z.string().min(1).max(255).optional(),
  sid: z.string().min(1).max(255).optional(),
});
const scopesSchema = z.union([z.string(), z.array(z.string())]);
const namesSchema = z.array(z.string());
const emailSchema = z.string().min(3).max(320);

/**
 * Verifies access tokens (RFC 9068, OpenID Connect core). The token's own `iss` only chooses whose keys it must be
 * signed with: one issuer's key is worth nothing for another's tokens.
 *
 * @throws RangeError where the issuers are not usable
 */
export function createTokenVerifier(
  issuers: readonly TrustedIssuer[],
  { now = Date.now }: { now?: () => number } = {},
): VerifyToken {
  checkIssuers(issuers);
  const byName = new Map(issuers.map((issuer) => [issuer.issuer, issuer]));

  async function verify(token: string, source: TokenSource | undefined): Promise<TokenClaims> {
    const { header, payload } = readToken(token);
    const issuer = byName.get(String(payload['iss']));
    if (issuer === undefined) throw refuse('The token is from another issuer.');
    const { sources = [BEARER], claims: names = {} } = issuer;
    if (source !== undefined && !sources.some((allowed) => isSameSource(allowed, source))) {
      throw refuse('The token is not where tokens of its issuer are looked for.');
    }
    const leeway = Math.min(MAX_SKEW_SECONDS, issuer.skewSeconds ?? DEFAULT_SKEW_SECONDS);
    await jwtVerify(token, issuer.keys, {
      issuer: issuer.issuer,
      audience: [...issuer.audiences],
      algorithms: [...(issuer.algorithms ?? DEFAULT_ALGORITHMS)],
      clockTolerance: leeway,
      currentDate: new Date(now()),
      requiredClaims: ['iss', 'sub', 'aud', 'exp'],
    });
    const { typ } = header;
    if (!ACCESS_TOKEN_TYPES.has(typeof typ === 'string' ? typ.toLowerCase() : typ) || isOtherToken(payload)) {
      throw refuse('The token is not an access token.');
    }
    const claims = claimsSchema.safeParse(payload);
    if (!claims.success) throw unexpectedForm();
    const { iss, sub, exp, iat, jti, sid } = claims.data;
    return {
      issuer: iss,
      subject: sub,
      // Without the signature, of which its holder can make another that is as good.
      id: jti ?? `sha256:${hash('sha256', token.slice(0, token.lastIndexOf('.')), 'base64url')}`,
      session: sid ?? null,
      issuedAt: iat ?? null,
      expiresAt: exp,
      leeway,
      ...rightsOf(payload, names),
    };
  }

  return async (token, source) => {
    try {
      return await verify(token, source);
    } catch (error) {
      throw tokenError(error);
    }
  };
}

export function isSameSource(a: TokenSource, b: TokenSource): boolean {
  if ('cookie' in a) return 'cookie' in b && a.cookie === b.cookie;
  if (!('header' in b) || a.header.toLowerCase() !== b.header.toLowerCase()) return false;
  return a.prefix?.toLowerCase() === b.prefix?.toLowerCase();
}

type Payload = Readonly<Record<string, unknown>>;

function rightsOf(payload: Payload, names: ClaimNames): Pick<TokenClaims, 'scopes' | 'roles' | 'email'> {
  const from = { ...DEFAULT_CLAIMS, ...names };
  const read = <T>(schema: z.ZodType<T>, claims: readonly string[]): T | undefined => {
    const claim = claims.find((name) => payload[name] !== undefined && payload[name] !== null);
    if (claim === undefined) return undefined;
    const value = schema.safeParse(payload[claim]);
    if (!value.success) throw unexpectedForm();
    return value.data;
  };
  const granted = read(scopesSchema, from.scopes) ?? [];
  const scopes = new Set((typeof granted === 'string' ? granted.split(' ') : granted).filter((scope) => scope !== ''));
  const permissions = isMachine(payload) ? undefined : read(namesSchema, [from.permissions]);
  const roles = from.roles === null ? [] : (read(namesSchema, [from.roles]) ?? []);
  // Nobody's right depends on it: what is no address is as none.
  const address = emailSchema.safeParse(from.email.map((name) => payload[name]).find((value) => value !== undefined));
  return {
    // What the client was granted, and with permissions (Auth0's role-based access) what the person holds as well.
    scopes: permissions === undefined ? [...scopes] : [...scopes].filter((scope) => permissions.includes(scope)),
    // The system's own role is nobody's to give.
    roles: roles.filter((role) => role !== SERVICE_ROLE),
    email: address.success && payload['email_verified'] !== false ? address.data : null,
  };
}

/** By client credentials: nobody's permissions bound what the client was granted (RFC 9068 section 2.2; Auth0, Entra). */
function isMachine(payload: Payload): boolean {
  const { gty, idtyp, sub, client_id: client, azp } = payload;
  return gty === 'client-credentials' || idtyp === 'app' || (sub !== undefined && (sub === client || sub === azp));
}

/** ID tokens by what only they carry (OpenID Connect core 2, 3.3.2.11; Keycloak; Cognito), and logout tokens. */
function isOtherToken(payload: Payload): boolean {
  return (
    ['nonce', 'at_hash', 'c_hash', 's_hash', 'events'].some((claim) => claim in payload) ||
    payload['typ'] === 'ID' ||
    payload['token_use'] === 'id'
  );
}

function unexpectedForm(): AppError {
  return refuse("The token's claims are not of the expected form.");
}

function refuse(message: string): AppError {
  return new AppError('UNAUTHENTICATED', message);
}
