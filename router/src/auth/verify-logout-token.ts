import { AppError } from '@timbre/platform/errors';
import { logoutRequestSchema } from '@timbre/platform/revocation';
import type { LogoutRequest } from '@timbre/platform/revocation';
import { jwtVerify } from 'jose';
import { z } from 'zod';
import { readToken } from './jws.ts';
import { tokenError } from './token-error.ts';
import type { TrustedIssuer } from './trusted-issuer.ts';
import { DEFAULT_ALGORITHMS, DEFAULT_SKEW_SECONDS, MAX_SKEW_SECONDS } from './verify-token.ts';

/** @throws AppError UNAUTHENTICATED that says what is wrong; SERVICE_UNAVAILABLE without any keys to verify by */
export type VerifyLogoutToken = (token: string) => Promise<LogoutRequest>;

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const TYPES: ReadonlySet<unknown> = new Set([undefined, 'jwt', 'logout+jwt', 'application/logout+jwt']);
/** One that is older is not a message of now, whatever it says of its end. */
const MAX_AGE_SECONDS = 600;

const claimsSchema = z.object({
  ...logoutRequestSchema.shape,
  sub: logoutRequestSchema.shape.sub.default(null),
  sid: logoutRequestSchema.shape.sid.default(null),
  events: z.looseObject({ [EVENT]: z.looseObject({}) }),
});

/**
 * Verifies logout tokens (OpenID Connect Back-Channel Logout 1.0, section 2.6) of the issuers that name their logout
 * audiences. Whether one was seen before is for who records it.
 */
export function createLogoutVerifier(
  issuers: readonly TrustedIssuer[],
  { now = Date.now }: { now?: () => number } = {},
): VerifyLogoutToken {
  const byName = new Map(issuers.map((issuer) => [issuer.issuer, issuer]));

  async function verify(token: string): Promise<LogoutRequest> {
    const { header, payload } = readToken(token);
    const issuer = byName.get(String(payload['iss']));
    const { logoutAudiences = [] } = issuer ?? {};
    if (issuer === undefined || logoutAudiences.length === 0) throw refuse('The token is from another issuer.');
    await jwtVerify(token, issuer.keys, {
      issuer: issuer.issuer,
      audience: [...logoutAudiences],
      algorithms: [...(issuer.algorithms ?? DEFAULT_ALGORITHMS)],
      clockTolerance: Math.min(MAX_SKEW_SECONDS, issuer.skewSeconds ?? DEFAULT_SKEW_SECONDS),
      currentDate: new Date(now()),
      maxTokenAge: MAX_AGE_SECONDS,
      requiredClaims: ['iss', 'aud', 'iat', 'exp', 'jti', 'events'],
    });
    const { typ } = header;
    if (!TYPES.has(typeof typ === 'string' ? typ.toLowerCase() : typ) || 'nonce' in payload) {
      throw refuse('The token is not a logout token.');
    }
    const claims = claimsSchema.safeParse(payload);
    if (!claims.success) throw refuse('The token is not a logout token.');
    const { events: _events, ...logout } = claims.data;
    if (logout.sub === null && logout.sid === null) throw refuse('The logout token has neither "sub" nor "sid".');
    return logout;
  }

  return async (token) => {
    try {
      return await verify(token);
    } catch (error) {
      throw tokenError(error);
    }
  };
}

function refuse(message: string): AppError {
  return new AppError('UNAUTHENTICATED', message);
}
