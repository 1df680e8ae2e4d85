import { AppError } from '@timbre/platform/errors';
import { LRUCache } from 'lru-cache';
import { ANONYMOUS_PRINCIPAL } from './principal.ts';
import type { Principal } from './principal.ts';
import type { PrincipalResolver, ResolvedPrincipal } from './principal-resolver.ts';
import type { TokenClaims, VerifyToken } from './verify-token.ts';

/**
 * From an `Authorization` value to a principal; without one, the anonymous principal.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN for a blocked user, SERVICE_UNAVAILABLE
 */
export type Authenticate = (authorization: string | undefined, requestId: string) => Promise<Principal>;

export interface AuthenticatorOptions {
  verify: VerifyToken;
  /** Null: the subject of the token is the user. */
  resolver: PrincipalResolver | null;
}

/** Nobody is known: whatever is sent, the caller is anonymous. */
export const authenticateNobody: Authenticate = () => Promise.resolve(ANONYMOUS_PRINCIPAL);

export function createAuthenticator({ verify, resolver }: AuthenticatorOptions): Authenticate {
  // The same object for the same rights, so that what is derived from a principal can be remembered by it.
  const principals = new LRUCache<string, Principal>({ max: 10_000, ttl: 60_000 });
  const latest = new WeakMap<TokenClaims, { resolved: ResolvedPrincipal | null; principal: Principal }>();

  return async (authorization, requestId) => {
    if (authorization === undefined || authorization.trim() === '') return ANONYMOUS_PRINCIPAL;
    const claims = await verify(bearerOf(authorization));
    const resolved = (await resolver?.resolve(claims, requestId)) ?? null;
    if (resolved?.blocked === true) throw new AppError('FORBIDDEN', 'This account is blocked.');
    // Claims and what they resolve to are the same objects for as long as they are remembered.
    const recent = latest.get(claims);
    if (recent !== undefined && recent.resolved === resolved) return recent.principal;
    const made = principalOf(claims, resolved);
    const key = JSON.stringify(made);
    const principal = principals.get(key) ?? made;
    principals.set(key, principal);
    latest.set(claims, { resolved, principal });
    return principal;
  };
}

function principalOf(claims: TokenClaims, resolved: ResolvedPrincipal | null): Principal {
  return Object.freeze({
    subject: claims.subject,
    issuer: claims.issuer,
    userId: resolved?.userId ?? claims.subject,
    roles: resolved?.roles ?? [],
    scopes: claims.scopes,
    plan: resolved?.plan ?? null,
    expiresAt: claims.expiresAt,
  });
}

function bearerOf(authorization: string): string {
  const match = /^Bearer +(?<token>\S+)$/i.exec(authorization.trim());
  const token = match?.groups?.['token'];
  if (token === undefined) {
    throw new AppError('UNAUTHENTICATED', 'The Authorization header must be "Bearer" and a token.');
  }
  return token;
}
