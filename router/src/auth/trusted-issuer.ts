import type { KeySet } from './key-set.ts';

/** Asymmetric ones alone: with a symmetric one whoever verifies could sign. */
export const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

export type Algorithm = (typeof ALGORITHMS)[number];

/** Where a client puts its token. */
export type TokenSource =
  /** A prefix is a scheme such as `Bearer`, in any case; null: the value is the token. */
  | { header: string; prefix: string | null }
  /** Only what no page of a foreign origin can have made a browser send is looked at. */
  | { cookie: string };

export const BEARER: TokenSource = { header: 'authorization', prefix: 'Bearer' };

/** Which claims say what. */
export interface ClaimNames {
  /** The first that is there counts; a text separated by spaces or a list. Default `scope`. */
  scopes?: readonly string[];
  /** A list that bounds the scopes of a person; default `permissions`. */
  permissions?: string;
  /** A list. Must be namespaced (a URI): others' claims may have been set by anybody. Default: none. */
  roles?: string | null;
  /** The first that is there counts; default `email`. */
  email?: readonly string[];
}

/** Whose access tokens are trusted, and with what. */
export interface TrustedIssuer {
  /** Compared exactly: a trailing slash counts. */
  issuer: string;
  /** A token must name one of them. */
  audiences: readonly string[];
  keys: KeySet;
  /** Default RS256 and ES256. */
  algorithms?: readonly Algorithm[];
  /** Default `Authorization: Bearer`. */
  sources?: readonly TokenSource[];
  claims?: ClaimNames;
  /** Leeway of `exp` and `nbf` between clocks, at most 60 s; default 5. */
  skewSeconds?: number;
  /** The client ids that its logout tokens may name (OpenID Connect Back-Channel Logout 1.0); default: it sends none. */
  logoutAudiences?: readonly string[];
}

/** @throws RangeError that says what is wrong with a list of issuers */
export function checkIssuers(issuers: readonly TrustedIssuer[]): void {
  const seen = new Set<string>();
  for (const { issuer, audiences, algorithms = [], claims = {} } of issuers) {
    if (seen.has(issuer))
      throw new RangeError(`The issuer ${issuer} is there twice: give it several audiences instead.`);
    seen.add(issuer);
    if (audiences.length === 0) throw new RangeError(`The issuer ${issuer} has no audience: any token would do.`);
    for (const algorithm of algorithms) {
      if (!ALGORITHMS.includes(algorithm)) throw new RangeError(`${algorithm} is none of ${ALGORITHMS.join(', ')}.`);
    }
    const { roles = null } = claims;
    if (roles !== null && !/[:/]/.test(roles)) {
      throw new RangeError(
        `Roles are read from a namespaced claim such as https://example.com/roles, not from "${roles}".`,
      );
    }
  }
}
