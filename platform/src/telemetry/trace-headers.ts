import type { UntrustedTraceHeaders } from './tracing.ts';

/** A span of another process. */
export interface RemoteSpan {
  traceId: string;
  spanId: string;
  sampled: boolean;
  tracestate: string | undefined;
}

/** Version 00 has nothing after the flags; a later one may have more, which is for those who know it. */
const TRACEPARENT = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-.*)?$/;
const TRACEPARENT_LENGTH = 256;
/** What the specification asks everybody to pass on; a client's that is longer is left behind. */
const TRACESTATE_LENGTH = 512;

/** @returns null where there is no `traceparent`, or one that is malformed (w3.org/TR/trace-context) */
export function parseTraceHeaders({ traceparent, tracestate }: UntrustedTraceHeaders): RemoteSpan | null {
  if (typeof traceparent !== 'string' || traceparent.length > TRACEPARENT_LENGTH) return null;
  const [, version, traceId, spanId, flags, more] = TRACEPARENT.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return null;
  if (version === '00' && more !== undefined) return null;
  const isState = typeof tracestate === 'string' && tracestate.length <= TRACESTATE_LENGTH;
  return {
    traceId,
    spanId,
    sampled: (Number.parseInt(flags, 16) & 1) === 1,
    tracestate: isState ? tracestate : undefined,
  };
}
