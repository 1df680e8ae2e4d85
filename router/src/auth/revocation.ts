import type { Principal } from './principal.ts';

/** What tells of the end of what a principal came with. */
export interface Revocable {
  readonly revoked: boolean;
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
 * Calls once when the token or key that the principal came with is revoked, or its user blocked; at once where that has
 * happened.
 *
 * @returns what calls it off
 */
export function onRevoked(principal: Principal, call: () => void): () => void {
  return revocables.get(principal)?.watch(call) ?? (() => undefined);
}
