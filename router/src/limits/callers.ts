import { addressKey, callerKey } from '../auth/caller-key.ts';
import { isAuthenticated } from '../auth/principal.ts';
import type { Principal } from '../auth/principal.ts';
import type { Session } from '../engine.ts';

/** What runs for one caller in this process. */
export interface Caller {
  /** The same in other processes. */
  readonly key: string;
  /** Queries and mutations that are being prepared or executed, and subscriptions that are being prepared. */
  operations: number;
  subscriptions: number;
  subscriptionBytes: number;
  /** Acknowledged websockets. */
  sockets: number;
  /** Websockets from this address, whoever is behind them. */
  connections: number;
}

export interface Callers {
  of(session: Pick<Session, 'principal' | 'address'>): Caller;
  ofAddress(address: string | null): Caller;
}

/** Forgetting begins here. */
const MIN_SWEPT = 10_000;

/**
 * A record for each caller: the user, whatever tokens and API keys they come with, or for the anonymous their address.
 * Records stay until there are twice as many as were in use at the last look: nothing is added and taken away at each request.
 */
export function createCallers(): Callers {
  const records = new Map<string, Caller>();
  const byAddress = new Map<string | null, Caller>();
  let byPrincipal = new WeakMap<Principal, Caller>();
  let sweepAt = MIN_SWEPT;

  function recordOf(key: string): Caller {
    let caller = records.get(key);
    if (caller === undefined) {
      if (records.size >= sweepAt) sweep();
      caller = { key, operations: 0, subscriptions: 0, subscriptionBytes: 0, sockets: 0, connections: 0 };
      records.set(key, caller);
    }
    return caller;
  }

  function sweep(): void {
    for (const [key, caller] of records) if (isIdle(caller)) records.delete(key);
    byAddress.clear();
    byPrincipal = new WeakMap();
    sweepAt = Math.max(MIN_SWEPT, records.size * 2);
  }

  function ofAddress(address: string | null): Caller {
    let caller = byAddress.get(address);
    if (caller === undefined) {
      // One network of IPv6 has more addresses than there is memory for, and one record.
      if (byAddress.size >= sweepAt) sweep();
      caller = recordOf(addressKey(address));
      byAddress.set(address, caller);
    }
    return caller;
  }

  return {
    ofAddress,
    of(session) {
      const { principal } = session;
      if (!isAuthenticated(principal)) return ofAddress(session.address);
      let caller = byPrincipal.get(principal);
      if (caller === undefined) {
        caller = recordOf(callerKey(session));
        byPrincipal.set(principal, caller);
      }
      return caller;
    },
  };
}

function isIdle({ operations, subscriptions, sockets, connections }: Caller): boolean {
  return operations + subscriptions + sockets + connections === 0;
}
