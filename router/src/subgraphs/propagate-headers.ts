import type { IncomingHttpHeaders } from 'node:http';
import { IDENTITY_HEADER, REQUEST_ID_HEADER } from '@timbre/platform/identity';

/** A header of the client's request that subgraphs are to have: its name, or more about it. */
export type HeaderRule =
  | string
  | {
      name: string;
      /** What subgraphs know it by; default the same. */
      as?: string;
      /** Where the client sends none. */
      default?: string;
    };

/** Trace context (w3.org/TR/trace-context) goes on; nothing else does unless it is named. */
export const DEFAULT_HEADER_RULES: readonly HeaderRule[] = ['traceparent', 'tracestate'];

/** The rules where the router takes part in the trace itself: what it sends is its own place in it. */
export function withoutTraceContext(rules: readonly HeaderRule[]): HeaderRule[] {
  return rules.filter((rule) => {
    const { name, as = name } = typeof rule === 'string' ? { name: rule } : rule;
    return as.toLowerCase() !== 'traceparent' && as.toLowerCase() !== 'tracestate';
  });
}

/** @returns undefined where no rule applies */
export type PropagateHeaders = (headers: IncomingHttpHeaders | undefined) => Record<string, string> | undefined;

/** What concerns one connection (RFC 9110, section 7.6.1), the body, or is the router's to say. */
const NEVER: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'expect',
  'accept',
  'accept-encoding',
  'content-encoding',
  'content-length',
  'content-type',
  IDENTITY_HEADER,
  REQUEST_ID_HEADER,
]);

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

/** @throws RangeError on a name that cannot be passed on, or two rules for one name at the subgraphs */
export function createHeaderPropagation(rules: readonly HeaderRule[]): PropagateHeaders {
  const compiled = rules.map((rule) => {
    const { name, as = name, ...rest } = typeof rule === 'string' ? { name: rule } : rule;
    return { from: allowed(name), to: allowed(as), fallback: 'default' in rest ? rest.default : undefined };
  });
  if (new Set(compiled.map(({ to }) => to)).size < compiled.length) {
    throw new RangeError('Two rules propagate to the same header.');
  }
  return (headers) => {
    let propagated: Record<string, string> | undefined;
    for (const { from, to, fallback } of compiled) {
      const sent = headers?.[from];
      // A client can declare any header to be for this connection only.
      const value = sent === undefined || isForConnection(from, headers) ? fallback : sent;
      if (value === undefined) continue;
      propagated ??= {};
      propagated[to] = typeof value === 'string' ? value : value.join(', ');
    }
    return propagated;
  };
}

function allowed(name: string): string {
  const lower = name.toLowerCase();
  if (NEVER.has(lower) || !TOKEN.test(lower)) throw new RangeError(`The header "${name}" cannot be propagated.`);
  return lower;
}

function isForConnection(name: string, headers: IncomingHttpHeaders | undefined): boolean {
  const listed = headers?.connection?.toLowerCase();
  if (listed === undefined || listed === 'keep-alive' || listed === 'close') return false;
  return listed.split(',').some((token) => token.trim() === name);
}
