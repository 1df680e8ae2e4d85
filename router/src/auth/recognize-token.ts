import { AppError } from '@timbre/platform/errors';
import type { Recognized } from './known-credential.ts';
import { nameOf } from './known-credential.ts';
import type { Principal } from './principal.ts';
import type { PrincipalResolver, ResolvedPrincipal } from './principal-resolver.ts';
import type { TokenSource } from './trusted-issuer.ts';
import type { TokenClaims, VerifyToken } from './verify-token.ts';

/** @throws AppError UNAUTHENTICATED, SERVICE_UNAVAILABLE */
export type RecognizeToken = (token: string, source: TokenSource | undefined) => Promise<Recognized>;

export interface TokenRecognition {
  verify: VerifyToken;
  /** Null: the subject of the token is the user. */
  resolver: PrincipalResolver | null;
  /** Without a resolver: the same subject of two issuers is two users. */
  severalIssuers?: boolean;
  /** How long an answer of the resolver holds; default 30 s. */
  freshMs?: number;
}

const DEFAULT_FRESH_MS = 30_000;

/** Access tokens, and who their subjects are. */
export function createTokenRecognition({
  verify,
  resolver,
  severalIssuers = false,
  freshMs = DEFAULT_FRESH_MS,
}: TokenRecognition): RecognizeToken {
  return async (token, source) => {
    const claims = await verify(token, source);
    const { issuer, subject, session, id, expiresAt, leeway } = claims;
    const names = [nameOf('subject', issuer, subject), nameOf('token', issuer, id)];
    if (session !== null) names.push(nameOf('session', issuer, session));
    return {
      names,
      endsAt: (expiresAt + leeway) * 1000,
      freshMs: resolver === null ? Infinity : freshMs,
      async resolve(requestId) {
        if (resolver === null) return principalOf(claims, severalIssuers ? `${issuer}|${subject}` : subject, null);
        const resolved = await resolver.resolve(claims, requestId);
        if (resolved.revoked) throw new AppError('UNAUTHENTICATED', 'The session of this token has ended.');
        if (resolved.blocked) throw new AppError('FORBIDDEN', 'This account is blocked.');
        return principalOf(claims, resolved.userId, resolved);
      },
    };
  };
}

function principalOf(claims: TokenClaims, userId: string, resolved: ResolvedPrincipal | null): Principal {
  const { subject, issuer, scopes, roles, expiresAt, id, session, issuedAt } = claims;
  return {
    subject,
    issuer,
    userId,
    roles: [...(resolved?.roles ?? []), ...roles],
    scopes,
    plan: resolved?.plan ?? null,
    expiresAt,
    credential: { kind: 'token', id, session, issuedAt, expiresAt },
  };
}
