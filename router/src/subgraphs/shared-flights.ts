import type { Flight } from './flight.ts';
import type { CallContext } from './subgraph-transport.ts';

/**
 * Counts the changes that mutations may have made. An answer that was asked for before a change is not
 * shared with those who ask after it.
 */
export interface Changes {
  count: number;
}

export interface FlightCaller {
  principal: string;
  /** Which changes the answer includes, where they are counted elsewhere, too: it is not for those who want others. */
  asOf: number | undefined;
}

/** The calls of one query that are in flight. */
export interface SharedFlights {
  find(caller: FlightCaller, variables: string): Flight | undefined;
  add(flight: Flight, caller: FlightCaller, variables: string): void;
  delete(flight: Flight): void;
}

interface Entry {
  flight: Flight;
  caller: FlightCaller;
  variables: string;
  since: number;
}

/** Of the calls in flight the latest are compared, so that a subgraph that is slow does not make the router so. */
const COMPARED = 64;

/**
 * Finds the call that is the same. An array that is searched: for the few that are in flight it takes less
 * than to hash the variables, and leaves nothing to be collected.
 */
export function createSharedFlights(changes: Changes): SharedFlights {
  const entries: Entry[] = [];
  return {
    find({ principal, asOf }, variables) {
      const end = Math.max(0, entries.length - COMPARED);
      for (let i = entries.length - 1; i >= end; i -= 1) {
        const entry = entries[i];
        if (entry?.variables !== variables || entry.since !== changes.count) continue;
        if (entry.caller.principal === principal && entry.caller.asOf === asOf) return entry.flight;
      }
      return undefined;
    },
    add(flight, caller, variables) {
      entries.push({ flight, caller, variables, since: changes.count });
    },
    delete(flight) {
      const place = entries.findIndex((entry) => entry.flight === flight);
      const last = place === -1 ? undefined : entries.pop();
      if (last !== undefined && place < entries.length) entries[place] = last;
    },
  };
}

/** They say where a call comes from; no answer depends on them. */
const TRACING: ReadonlySet<string> = new Set(['traceparent', 'tracestate']);

export const isForTracing = (header: string) => TRACING.has(header);

/** All that an answer can depend on beside the query. No part can hold a line break. */
export function principalOf(identity: string | null, propagated: CallContext['headers']): string {
  let principal = identity ?? '';
  if (propagated === undefined) return principal;
  for (const name of Object.keys(propagated)) {
    if (!TRACING.has(name)) principal += `\n${name}:${propagated[name]}`;
  }
  return principal;
}
