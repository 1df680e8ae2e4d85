import type { Credential } from '@timbre/platform/identity';

/** Who asks. The anonymous caller is a principal too. */
export interface Principal {
  /** Null for the anonymous caller. */
  readonly subject: string | null;
  readonly issuer: string | null;
  /** The system's own id of the user; the subject where nothing resolves it. */
  readonly userId: string | null;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  readonly plan: string | null;
  /** When the token ends, in unix seconds; null where there is none. */
  readonly expiresAt: number | null;
  /** What the caller came with; null for the anonymous. */
  readonly credential: Credential | null;
}

export const ANONYMOUS_PRINCIPAL: Principal = Object.freeze({
  subject: null,
  issuer: null,
  userId: null,
  roles: [],
  scopes: [],
  plan: null,
  expiresAt: null,
  credential: null,
});

export function isAuthenticated(principal: Principal): boolean {
  return principal.subject !== null;
}

/** `admin:*` stands for every scope that begins with `admin:`. */
export function holdsScope(held: ReadonlySet<string>, scope: string): boolean {
  if (held.has(scope)) return true;
  const separator = scope.lastIndexOf(':');
  return separator > 0 && held.has(`${scope.slice(0, separator)}:*`);
}
