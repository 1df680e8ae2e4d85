import type { Identity } from '@timbre/platform/identity';
import type { Principal } from './principal.ts';

const RENEW_AFTER_MS = 30_000;
/** Outlives the renewal by more than the longest call. */
const LIFETIME_SECONDS = 120;

/** Signed identities for subgraphs, made once per principal and half minute. */
export function createIdentitySource(
  sign: (identity: Identity) => string,
  now: () => number = Date.now,
): (principal: Principal) => string {
  const signed = new WeakMap<Principal, { token: string; at: number }>();
  return (principal) => {
    const known = signed.get(principal);
    if (known !== undefined && now() - known.at < RENEW_AFTER_MS) return known.token;
    const { userId, roles, scopes, plan, credential } = principal;
    const expiresAt = Math.floor(now() / 1000) + LIFETIME_SECONDS;
    const token = sign({ userId, roles: [...roles], scopes: [...scopes], plan, credential, expiresAt });
    signed.set(principal, { token, at: now() });
    return token;
  };
}
