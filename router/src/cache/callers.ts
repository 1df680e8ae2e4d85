import { createHash } from 'node:crypto';
import { isAuthenticated } from '../auth/principal.ts';
import type { Principal } from '../auth/principal.ts';
import { isForTracing } from '../subgraphs/shared-flights.ts';
import type { CallContext } from '../subgraphs/subgraph-transport.ts';
import { canonicalJson } from './canonical-json.ts';

/** Callers, as the cache tells them apart. */
export interface Callers {
  of(principal: Principal): { owner: string | null; name: string };
  /** What answers may depend on of the headers that subgraphs are sent. */
  headersKey(headers: CallContext['headers']): string;
}

export function createCallers(): Callers {
  // Principals are the same object for the same rights.
  const known = new WeakMap<Principal, { owner: string | null; name: string }>();
  return {
    of(principal) {
      let caller = known.get(principal);
      if (caller === undefined) {
        caller = { owner: isAuthenticated(principal) ? ownerOf(principal) : null, name: nameOf(principal) };
        known.set(principal, caller);
      }
      return caller;
    },
    headersKey(headers) {
      let key = '';
      // Neither part can hold a line break. The names are configured, in their order.
      for (const name in headers) if (!isForTracing(name)) key += `${name}:${headers[name]}\n`;
      return key;
    },
  };
}

/**
 * All that a subgraph may be told of a principal, but for when its token ends: with other rights, the same user's
 * private answers are others. The anonymous have none.
 */
function ownerOf(principal: Principal): string {
  return createHash('sha256')
    .update(canonicalJson({ ...principal, expiresAt: null }))
    .digest('base64url')
    .slice(0, 27);
}

/** Who knows of whose mutations: a user's tokens and API keys of each other's. */
function nameOf({ userId, subject, issuer }: Principal): string {
  return createHash('sha256')
    .update(canonicalJson([userId ?? [issuer, subject]]))
    .digest('base64url')
    .slice(0, 27);
}
