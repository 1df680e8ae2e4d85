import { IDENTITY_HEADER, REQUEST_ID_HEADER } from '@timbre/platform/identity';
import type { Span } from '@timbre/platform/telemetry/tracing';
import { createWatch } from '@timbre/platform/watch';
import { Pool } from 'undici';
import { createBreaker } from './circuit-breaker.ts';
import type { BreakerOptions, BreakerState } from './circuit-breaker.ts';
import { ACCEPTED_ENCODINGS } from './decompress.ts';
import { Flight } from './flight.ts';
import type { Route } from './flight.ts';
import { createRetryBudget } from './retry-budget.ts';
import { createSharedFlights, principalOf } from './shared-flights.ts';
import type { Changes, SharedFlights } from './shared-flights.ts';
import { canceled, shut } from './subgraph-failures.ts';
import type { CallContext, SubgraphOperation, SubgraphRequest, SubgraphTransport } from './subgraph-transport.ts';

export interface HttpTransportOptions {
  /** Sockets to one subgraph; default 64. */
  connections?: number;
  connectTimeoutMs?: number;
  /** Until the first byte of the answer, and between two of them; default 20 s. */
  headersTimeoutMs?: number;
  /** For the whole call, retries included. */
  timeoutMs?: number;
  /** Of an answer, before and after its decompression. */
  maxResponseBytes?: number;
  /** How often a query is repeated to which no answer arrived; default 2. Mutations never are. */
  retries?: number;
  /** null: none. */
  breaker?: Partial<BreakerOptions> | null;
}

/** What happens beside the calls. */
export interface TransportEvents {
  onBreaker?: (state: BreakerState) => void;
  onRetry?: () => void;
  /** A call was saved, as the same one was in flight. */
  onShared?: () => void;
}

/** What is kept for an operation, as long as there is one. */
interface OperationState {
  /** The request's body up to the variables. */
  head: string;
  shared: SharedFlights;
}

const BREAKER: BreakerOptions = { threshold: 0.5, windowMs: 10_000, minimumCalls: 10, openMs: 2_000 };
const RETRY_SHARE = 0.2;
const WATCH_MS = 100;

/** GraphQL over HTTP to one subgraph on a pool of keep-alive connections. */
export function createHttpTransport(
  subgraph: { name: string; url: string },
  options: HttpTransportOptions = {},
  events: TransportEvents = {},
  changes: Changes = { count: 0 },
): SubgraphTransport {
  const { retries = 2 } = options;
  const route = createRoute(subgraph, options, events);
  const states = new WeakMap<SubgraphOperation, OperationState>();

  function stateOf(operation: SubgraphOperation): OperationState {
    let state = states.get(operation);
    if (state === undefined) {
      const { query, operationName } = operation;
      state = { head: JSON.stringify({ query, operationName }).slice(0, -1), shared: createSharedFlights(changes) };
      states.set(operation, state);
    }
    return state;
  }

  function fly(
    { operation, variables, asOf }: SubgraphRequest,
    { requestId, identity, headers, span }: CallContext,
  ): Flight {
    const { head, shared } = stateOf(operation);
    const json = variables === undefined ? '' : JSON.stringify(variables);
    const signed = identity();
    const caller = { principal: principalOf(signed, headers), asOf };
    const isQuery = operation.kind === 'query';
    const known = isQuery ? shared.find(caller, json) : undefined;
    if (known !== undefined) {
      if (span?.recorded === true) span.set({ 'timbre.fetch.shared': true });
      events.onShared?.();
      return known;
    }
    // One call is on its way to try; waiting for it could take as long as a timeout.
    if (route.breaker?.state === 'half-open') throw shut(subgraph.name);

    if (!isQuery) changes.count += 1;
    const flight = new Flight(route, {
      headers: headersOf(requestId, signed, headers, span),
      body: json === '' ? `${head}}` : `${head},"variables":${json}}`,
      retries: isQuery ? retries : 0,
      span,
      onLanded(landed) {
        if (isQuery) shared.delete(landed);
        else changes.count += 1;
      },
    });
    if (isQuery) shared.add(flight, caller, json);
    return flight;
  }

  return {
    call(request, context) {
      if (context.signal?.aborted === true) return Promise.reject(canceled(subgraph.name));
      try {
        return fly(request, context).wait(context.signal);
      } catch (error) {
        return Promise.reject(error);
      }
    },
    close: () => route.pool.destroy(),
  };
}

function createRoute(
  { name, url }: { name: string; url: string },
  options: HttpTransportOptions,
  { onBreaker = ignore, onRetry = ignore }: TransportEvents,
): Route {
  const { connections = 64, connectTimeoutMs = 2_000, headersTimeoutMs = 20_000, timeoutMs = 30_000 } = options;
  const { maxResponseBytes = 32 * 1024 * 1024, breaker = {} } = options;
  const { origin, pathname, search } = new URL(url);
  return {
    subgraph: name,
    path: pathname + search,
    pool: new Pool(origin, {
      connections,
      connect: { timeout: connectTimeoutMs },
      // The watch minds them: undici would make a timer for each call.
      headersTimeout: 0,
      bodyTimeout: 0,
      allowH2: false,
    }),
    maxBytes: maxResponseBytes,
    timeoutMs,
    silenceMs: headersTimeoutMs,
    watch: createWatch(Math.min(WATCH_MS, headersTimeoutMs / 4, timeoutMs / 4)),
    budget: createRetryBudget(RETRY_SHARE),
    breaker: breaker === null ? null : createBreaker({ ...BREAKER, ...breaker }, onBreaker),
    onRetry,
  };
}

function headersOf(
  requestId: string,
  identity: string | null,
  propagated: CallContext['headers'],
  span: Span | undefined,
): string[] {
  const headers = [
    'content-type',
    'application/json',
    'accept',
    'application/json',
    'accept-encoding',
    ACCEPTED_ENCODINGS,
    REQUEST_ID_HEADER,
    requestId,
  ];
  if (identity !== null) headers.push(IDENTITY_HEADER, identity);
  if (propagated !== undefined) {
    for (const name of Object.keys(propagated)) headers.push(name, propagated[name] ?? '');
  }
  if (span !== undefined) {
    const { traceparent, tracestate } = span.headers;
    if (traceparent !== undefined) headers.push('traceparent', traceparent);
    if (tracestate !== undefined) headers.push('tracestate', tracestate);
  }
  return headers;
}

function ignore(): void {
  // Nobody wants to know.
}
