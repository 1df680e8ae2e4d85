import type { Principal } from './principal.ts';

/** What tells of the end of what a principal came with. */
export interface Revocable {
  readonly revoked: boolean;
  /** Who it stands for now. @throws AppError */
  current(requestId: string): Principal | Promise<Principal>;
  /** @returns what calls it off */
  watch(call: () => void): () => void;
}

/** A principal knows nothing of what it came with; there are very many who hold one, and what they hold stays plain data. */
const revocables = new WeakMap<Principal, Revocable>();

export function makeRevocable(principal: Principal, revocable: Revocable): void {
  revocables.set(principal, revocable);
}

export function isRevoked(principal: Principal): boolean {
  return revocables.get(principal)?.revoked ?? false;
}

/**
 * Whom the token or key that the principal came with stands for by now: as fresh as if it had been sent again.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, SERVICE_UNAVAILABLE
 */
export function currentOf(principal: Principal, requestId: string): Principal | Promise<Principal> {
  return revocables.get(principal)?.current(requestId) ?? principal;
}

/**
 * Calls once when the token or key that the principal came with is revoked, its user blocked, or a role or scope of it
 * taken away; at once where it is revoked already.
 *
 * @returns what calls it off
 */
export function onRevoked(principal: Principal, call: () => void): () => void {
  return revocables.get(principal)?.watch(call) ?? (() => undefined);
}
