import type { IncomingMessage } from 'node:http';
import type { Bus } from '@timbre/platform/bus/bus';
import type { Cache } from '@timbre/platform/cache/cache';
import type { LimiterOptions, PromptLimiter } from '@timbre/platform/limiter/limiter';
import type { SharedBuckets } from '@timbre/platform/limiter/shared-buckets';
import type { Logger } from '@timbre/platform/logger';
import type { Tracing } from '@timbre/platform/telemetry/tracing';
import type { Registry } from 'prom-client';
import type { Authenticate } from './auth/authenticator.ts';
import type { AuthorizationOptions } from './auth/authorization.ts';
import type { Principal } from './auth/principal.ts';
import type { ResponseCacheOptions } from './cache/response-cache.ts';
import type { DemandOptions } from './demand/demand-options.ts';
import type { DocumentsOptions } from './documents/documents-policy.ts';
import type { SubgraphErrorsOptions } from './execution/redact-errors.ts';
import type { ConcurrencyOptions } from './limits/concurrency-limits.ts';
import { GENEROUS_LIMITS } from './limits/operation-limits.ts';
import type { OperationLimits } from './limits/operation-limits.ts';
import type { RateOptions } from './limits/rate-limits.ts';
import type { HoldsOverride } from './operations/overrides.ts';
import type { HttpTransportOptions } from './subgraphs/http-transport.ts';
import { DEFAULT_HEADER_RULES, withoutTraceContext } from './subgraphs/propagate-headers.ts';
import type { HeaderRule } from './subgraphs/propagate-headers.ts';
import { isForTracing } from './subgraphs/shared-flights.ts';
import type { WsTransportOptions } from './subgraphs/ws-transport.ts';
import type { ResumeRules } from './subscriptions/resume.ts';
import type { AccessLogOptions } from './transports/access-log.ts';
import type { TrustedProxies } from './transports/caller-address.ts';
import type { CorsOptions } from './transports/http/cors.ts';
import { PREFLIGHT_HEADERS } from './transports/http/csrf.ts';
import type { BatchingOptions } from './transports/http/read-request.ts';

/** Nothing but `supergraph` and `log` is required: the defaults serve any supergraph to everybody. */
export interface RouterOptions {
  /** The supergraph's SDL, as composition prints it. */
  supergraph: string;
  /** The address of a subgraph by its name; undefined leaves the supergraph's. */
  subgraphUrl?: (name: string) => string | undefined;
  limits?: Partial<OperationLimits>;
  /** How often a caller may ask; null: as often as they like. */
  rates?: RateOptions | null;
  /** What rates are counted with; default in this process alone. */
  limiter?: (options: LimiterOptions) => PromptLimiter;
  /** How much may run at once for one caller; null: anything. */
  concurrency?: ConcurrencyOptions | null;
  /** Which documents are known by name, and which may be run; null: clients send theirs, and any. */
  documents?: DocumentsOptions | null;
  /** What operations may cost; default off. */
  demand?: DemandOptions | null;
  /** Where the budgets of demand control are kept for other routers, too; default: in this one only. Not closed with the router. */
  buckets?: SharedBuckets;
  /**
   * For whom progressive overrides hold whose labels say nothing by themselves; default nobody. `percent(N)` holds for
   * that share of the principals.
   */
  holdsOverride?: HoldsOverride;
  /** Default: everybody. */
  mayIntrospect?: (principal: Principal) => boolean;
  /** Default: everybody is anonymous. */
  authenticate?: Authenticate;
  /**
   * Headers, in lower case, in which it looks for credentials beside `authorization`, `x-api-key` and `cookie`: what is asked
   * for with one of them is nobody else's.
   */
  credentialHeaders?: readonly string[];
  authorization?: AuthorizationOptions;
  /** What subgraphs are told of a principal, in the identity header and in `extensions.identity`; null: nothing. */
  identityOf?: ((principal: Principal) => string) | null;
  /** Of a request body and of a websocket message; default 2 MiB. */
  maxBodyBytes?: number;
  /** Whose word is taken for a caller's address; null: nobody's, it is the socket's. */
  trustedProxies?: TrustedProxies | null;
  /** Refuses clients that do not say their name and version, by header or in `connection_init`; default false. */
  requireClient?: boolean;
  /** Arrays of operations in one request; null: they are refused. Default null. */
  batching?: BatchingOptions | null;
  /** JSON answers of 1 KiB and more are sent as br or gzip where the client takes that; default false. */
  compression?: boolean;
  /**
   * Refuses what a foreign page can make a browser send unasked: a request needs a content type that is not simple, or
   * one of these headers; default Apollo's.
   */
  csrfPrevention?: boolean | { headers: readonly string[] };
  cors?: CorsOptions | null;
  /** Clients come by https only, and are told to go on with that (HSTS); default false. */
  https?: boolean;
  landingPage?: ((req: IncomingMessage) => string) | null;
  http?: HttpTransportOptions;
  /** Whether clients are told what subgraphs say of their errors; default everything but stack traces and the like. */
  subgraphErrors?: SubgraphErrorsOptions;
  /** Headers of the client's request that subgraphs get; default those of trace context. */
  propagateHeaders?: readonly HeaderRule[];
  streams?: Pick<WsTransportOptions, 'retryAttempts' | 'maxRetryWaitMs'>;
  /** Subscriptions that can go on where they were when their subgraph comes back; the others start anew. */
  resume?: ResumeRules;
  /** Events that may wait for one client; default 1,000. */
  eventQueueCapacity?: number;
  /** Between pings of a websocket, whose client is cut when it has not answered by the next, and heartbeats of other streams; default 30 s. */
  keepAliveMs?: number;
  /**
   * How much may wait for one websocket, and for how long; then it is closed with 1013. The client of another stream is
   * cut when it takes nothing for so long. Default 1 MiB, 15 s.
   */
  slowClient?: { bytes: number; ms: number };
  /** Keeps what subgraphs answer, as far as they allow it; null: nothing. */
  responseCache?: ResponseCacheOptions | null;
  /** Where plans are kept for other processes; default: in this one only. Not closed with the router. */
  planCache?: Cache;
  /** Between routers and subgraphs: hints that something has changed. Not closed with the router. Default: none come. */
  bus?: Bus;
  /** Where the busiest operations are kept, to be planned before anybody asks after a start; default nowhere. */
  hotOperationsFile?: string;
  log: Logger;
  /** A line for each operation, on standard output; null: none. Default null. */
  accessLog?: AccessLogOptions | null;
  /** Where the router's metrics are registered; default one of its own. */
  registry?: Registry;
  /** Makes spans of what is done; null: nothing is traced. Not closed with the router. */
  tracing?: Tracing | null;
}

/** What of the options can be changed while the router runs. */
export const CHANGEABLE_OPTIONS = [
  'limits',
  'rates',
  'concurrency',
  'documents',
  'demand',
  'authorization',
  'mayIntrospect',
  'batching',
  'compression',
  'csrfPrevention',
  'cors',
  'subgraphErrors',
] as const satisfies readonly (keyof RouterOptions)[];

export type ChangeableOptions = Pick<RouterOptions, (typeof CHANGEABLE_OPTIONS)[number]>;

export const limitsOf = (options: RouterOptions): OperationLimits => ({ ...GENEROUS_LIMITS, ...options.limits });
export const mayIntrospectOf = (options: RouterOptions) => options.mayIntrospect ?? (() => true);

export const headerRulesOf = ({
  tracing = null,
  propagateHeaders = DEFAULT_HEADER_RULES,
}: Pick<RouterOptions, 'tracing' | 'propagateHeaders'>) =>
  tracing === null ? propagateHeaders : withoutTraceContext(propagateHeaders);

/** What clients send on which answers of subgraphs may depend. */
export const varyOf = (options: Pick<RouterOptions, 'tracing' | 'propagateHeaders'>) =>
  headerRulesOf(options)
    .map((rule) => (typeof rule === 'string' ? rule : rule.name).toLowerCase())
    .filter((name) => !isForTracing(name));

export function csrfHeadersOf({ csrfPrevention = false }: RouterOptions): readonly string[] | null {
  if (typeof csrfPrevention === 'boolean') return csrfPrevention ? PREFLIGHT_HEADERS : null;
  return csrfPrevention.headers.map((name) => name.toLowerCase());
}
