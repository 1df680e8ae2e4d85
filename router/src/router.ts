import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Bus } from '@timbre/platform/bus/bus';
import type { Cache } from '@timbre/platform/cache/cache';
import { createRelaxedLimiter } from '@timbre/platform/limiter/create-relaxed-limiter';
import type { Limiter, LimiterOptions } from '@timbre/platform/limiter/limiter';
import type { SharedBuckets } from '@timbre/platform/limiter/shared-buckets';
import type { Logger } from '@timbre/platform/logger';
import type { Tracing } from '@timbre/platform/telemetry/tracing';
import { Registry } from 'prom-client';
import { authenticateNobody } from './auth/authenticator.ts';
import type { Authenticate } from './auth/authenticator.ts';
import type { AuthorizationOptions } from './auth/authorization.ts';
import { createPolicyEvaluation } from './auth/evaluate-policies.ts';
import type { Principal } from './auth/principal.ts';
import { createInvalidationHandler } from './cache/invalidation-handler.ts';
import { createResponseCache } from './cache/response-cache.ts';
import type { ResponseCache, ResponseCacheOptions } from './cache/response-cache.ts';
import { createDemand } from './demand/demand.ts';
import type { Demand } from './demand/demand.ts';
import type { DemandOptions } from './demand/demand-options.ts';
import { createDocumentsPolicy } from './documents/documents-policy.ts';
import type { DocumentsOptions, DocumentsPolicy } from './documents/documents-policy.ts';
import { createEngine } from './engine.ts';
import type { Engine, Policy } from './engine.ts';
import { createRedaction } from './execution/redact-errors.ts';
import type { SubgraphErrorsOptions } from './execution/redact-errors.ts';
import { createCallers } from './limits/callers.ts';
import { createConcurrencyLimits } from './limits/concurrency-limits.ts';
import type { ConcurrencyOptions } from './limits/concurrency-limits.ts';
import { GENEROUS_LIMITS } from './limits/operation-limits.ts';
import type { OperationLimits } from './limits/operation-limits.ts';
import { createRateLimits } from './limits/rate-limits.ts';
import type { RateOptions } from './limits/rate-limits.ts';
import { createRouterMetrics } from './metrics.ts';
import type { RouterMetrics } from './metrics.ts';
import { createHotOperations } from './operations/hot-operations.ts';
import { keepHotOperations } from './operations/keep-hot-operations.ts';
import type { HoldsOverride } from './operations/overrides.ts';
import { createPrepare } from './operations/prepare-operation.ts';
import type { PrepareOptions } from './operations/prepare-operation.ts';
import { createReloadingEngine } from './reloading-engine.ts';
import type { Generation } from './reloading-engine.ts';
import { createConnections } from './subgraphs/connections.ts';
import type { Connections } from './subgraphs/connections.ts';
import type { HttpTransportOptions } from './subgraphs/http-transport.ts';
import { createHttpTransports } from './subgraphs/http-transports.ts';
import { createHeaderPropagation, DEFAULT_HEADER_RULES, withoutTraceContext } from './subgraphs/propagate-headers.ts';
import type { HeaderRule } from './subgraphs/propagate-headers.ts';
import { isForTracing } from './subgraphs/shared-flights.ts';
import { createWsTransport } from './subgraphs/ws-transport.ts';
import type { WsTransportOptions } from './subgraphs/ws-transport.ts';
import type { ResumeRules } from './subscriptions/resume.ts';
import { shareUpstream } from './subscriptions/shared-upstream.ts';
import { loadSupergraph } from './supergraph/load-supergraph.ts';
import type { UsageFilter, UsageReport } from './telemetry/field-usage.ts';
import { traceOperations } from './telemetry/trace-operations.ts';
import { createAccessLog } from './transports/access-log.ts';
import type { AccessLog, AccessLogOptions } from './transports/access-log.ts';
import { createAddressOf } from './transports/caller-address.ts';
import type { TrustedProxies } from './transports/caller-address.ts';
import type { CorsOptions } from './transports/http/cors.ts';
import { PREFLIGHT_HEADERS } from './transports/http/csrf.ts';
import { createHttpHandler } from './transports/http/http-handler.ts';
import type { BatchingOptions } from './transports/http/read-request.ts';
import { createWsHandler } from './transports/ws/ws-handler.ts';

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
  limiter?: (options: LimiterOptions) => Limiter;
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
  /** Between pings of a websocket, whose client is cut when it has not answered by the next, and heartbeats of other streams; default 12 s. */
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

const CHANGEABLE = [
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

/** What of the options can be changed while the router runs. */
export type ChangeableOptions = Pick<RouterOptions, (typeof CHANGEABLE)[number]>;

/** A federated GraphQL router to be mounted in any node:http server. */
export interface Router {
  /** GraphQL over HTTP. */
  handle: (req: IncomingMessage, res: ServerResponse) => Promise<void>;
  /** graphql-transport-ws. */
  upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => void;
  registry: Registry;
  /**
   * Puts another supergraph in the place of the present one: loaded and warmed first, then at once. Requests in
   * flight end on the one that they began on; connections to subgraphs that stay are kept.
   *
   * @throws GraphQLError or Error where it cannot be served: the present one stays
   */
  reload: (sdl: string) => Promise<void>;
  /**
   * Puts other policies in the place of the present ones, for what begins from then on; what is not given is as if it had
   * never been. How many websockets there may be stays as it was at the start.
   *
   * @throws Error that says what is wrong with them: the present ones stay
   */
  configure: (options: ChangeableOptions) => Promise<void>;
  /**
   * Puts another manifest of trusted documents in the place of the present one.
   *
   * @throws Error that says what is wrong with it: the present one stays
   */
  trust: (manifest: string) => void;
  /** Which clients have used what of the schema, since the start. */
  usage: (filter?: UsageFilter) => UsageReport;
  /** Takes invalidations of the response cache: for a path of its own. Null where that is not configured. */
  invalidate: ((req: IncomingMessage, res: ServerResponse) => Promise<void>) | null;
  /** Closes the clients' websockets with 1001, and ends subscriptions over HTTP with an error. Other HTTP requests in flight are the server's to wait for. */
  drain: () => Promise<void>;
  /** Closes the connections to the subgraphs. Call it last. */
  close: () => Promise<void>;
}

const DEFAULT_MAX_BODY_BYTES = 2 * 1024 * 1024;
const DEFAULT_KEEP_ALIVE_MS = 12_000;
const DEFAULT_SLOW_CLIENT = { bytes: 1024 * 1024, ms: 15_000 };

/**
 * Makes a router of a supergraph.
 *
 * @throws GraphQLError or Error where the supergraph cannot be loaded: it is no supergraph, or it
 * links a feature for security, execution or cost that the router does not know; TypeError where an option is wrong
 */
export async function createRouter(options: RouterOptions): Promise<Router> {
  const { log, authenticate = authenticateNobody, maxBodyBytes = DEFAULT_MAX_BODY_BYTES } = options;
  const { keepAliveMs = DEFAULT_KEEP_ALIVE_MS, slowClient = DEFAULT_SLOW_CLIENT } = options;
  const registry = options.registry ?? new Registry();
  const accessLog = options.accessLog ? createAccessLog(options.accessLog) : null;
  const metrics = withAccessLog(createRouterMetrics(registry), accessLog);
  const hot = createHotOperations();
  const kept =
    options.hotOperationsFile === undefined ? null : await keepHotOperations(hot, options.hotOperationsFile, log);
  const connections = createConnections({
    call: createHttpTransports(options.http, { log, metrics }),
    stream: (subgraph) =>
      shareUpstream(
        createWsTransport(subgraph, {
          ...options.streams,
          log,
          onSockets: (change) => metrics.upstreamSockets.inc(change),
        }),
      ),
  });
  const cache = cacheOf(options, registry);
  const callers = createCallers();
  let settings = options;
  let demand: Demand | null = null;
  /** Made when it is first asked for; then it stays, so that nobody's budget is full again because a rule has changed. */
  const demandControl = (): Demand =>
    (demand ??= createDemand({
      registry,
      buckets: options.buckets ?? null,
      keyOf: (session) => callers.of(session).key,
    }));
  const engine = await createReloadingEngine(options.supergraph, {
    build: (sdl) => generationOf(sdl, { options: settings, connections, metrics, cache, demandControl }),
    hot,
    log,
    metrics,
  });
  const addressOf = createAddressOf(options.trustedProxies ?? null);
  const { requireClient = false } = options;
  const subscriptions = new Set<() => void>();
  let serving = serve();

  function serve() {
    const documents = documentsOf(settings);
    if (documents !== null) metrics.operations.know(documents.names());
    const { rates = null, limiter = createRelaxedLimiter, concurrency = null } = settings;
    /** The outermost first: telemetry, limits, documents, demand. One that is off is not among them. */
    const policies: Policy[] = [];
    if (options.tracing) policies.push(traceOperations(options.tracing));
    if (rates !== null) policies.push(createRateLimits(rates, { callers, limiter }));
    if (concurrency !== null) policies.push(createConcurrencyLimits(concurrency, callers));
    if (documents !== null) policies.push(documents.policy);
    if (settings.demand) policies.push(demandControl().policyOf(settings.demand));
    const guarded = policies.reduceRight<Engine>((next, policy) => policy(next), engine);
    const handle = createHttpHandler({
      engine: guarded,
      authenticate,
      log,
      metrics,
      accessLog,
      maxBodyBytes,
      addressOf,
      requireClient,
      batching: settings.batching ?? null,
      compression: settings.compression ?? false,
      csrfHeaders: csrfHeadersOf(settings),
      cors: settings.cors ?? null,
      https: options.https ?? false,
      landingPage: options.landingPage ?? null,
      keepAliveMs,
      slowMs: slowClient.ms,
      subscriptions,
    });
    return { documents, engine: guarded, handle };
  }

  const ws = createWsHandler({
    // Sockets outlive the policies.
    engine: {
      prepare: (request, session) => serving.engine.prepare(request, session),
      execute: (prepared, session) => serving.engine.execute(prepared, session),
      subscribe: (prepared, session) => serving.engine.subscribe(prepared, session),
      close: () => engine.close(),
    },
    authenticate,
    log,
    metrics,
    origins: () => settings.cors?.origins ?? [],
    addressOf,
    requireClient,
    maxMessageBytes: maxBodyBytes,
    keepAliveMs,
    slowClient,
    concurrency: options.concurrency ?? {},
    callers,
  });

  return {
    handle: (req, res) => serving.handle(req, res),
    upgrade: ws.upgrade,
    registry,
    reload: (sdl) => engine.reload(sdl),
    usage: (filter) => metrics.usage.report(filter),
    async configure(changed) {
      const previous = settings;
      settings = { ...withoutChangeable(options), ...changed };
      try {
        const next = serve();
        await engine.rebuild();
        serving = next;
      } catch (error) {
        settings = previous;
        throw error;
      }
    },
    trust(manifest) {
      if (serving.documents === null) throw new Error('The router was made without trusted documents.');
      serving.documents.replace(manifest);
      metrics.operations.know(serving.documents.names());
    },
    invalidate: invalidationHandler(options, cache),
    async drain() {
      for (const leave of subscriptions) leave();
      await Promise.all([ws.drain(), kept?.save()]);
    },
    async close() {
      kept?.stop();
      accessLog?.flush();
      await engine.close();
      await demand?.close();
      await cache?.close();
    },
  };
}

function withoutChangeable(options: RouterOptions): RouterOptions {
  const fixed = { ...options };
  for (const name of CHANGEABLE) delete fixed[name];
  return fixed;
}

function cacheOf({ responseCache = null, ...options }: RouterOptions, registry: Registry): ResponseCache | null {
  if (responseCache === null) return null;
  const { log, bus = null } = options;
  return createResponseCache(responseCache, { log, registry, bus, vary: varyOf(options) });
}

function invalidationHandler({ responseCache }: RouterOptions, cache: ResponseCache | null): Router['invalidate'] {
  const sharedKey = responseCache?.invalidation?.sharedKey;
  if (cache === null || sharedKey === undefined) return null;
  return createInvalidationHandler({ sharedKey, invalidate: cache.invalidate });
}

const limitsOf = (options: RouterOptions): OperationLimits => ({ ...GENEROUS_LIMITS, ...options.limits });
const mayIntrospectOf = (options: RouterOptions) => options.mayIntrospect ?? (() => true);

const headerRulesOf = ({
  tracing = null,
  propagateHeaders = DEFAULT_HEADER_RULES,
}: Pick<RouterOptions, 'tracing' | 'propagateHeaders'>) =>
  tracing === null ? propagateHeaders : withoutTraceContext(propagateHeaders);

/** What clients send on which answers of subgraphs may depend. */
const varyOf = (options: Pick<RouterOptions, 'tracing' | 'propagateHeaders'>) =>
  headerRulesOf(options)
    .map((rule) => (typeof rule === 'string' ? rule : rule.name).toLowerCase())
    .filter((name) => !isForTracing(name));

function documentsOf(options: RouterOptions): DocumentsPolicy | null {
  const { documents = null, log } = options;
  if (documents === null) return null;
  return createDocumentsPolicy(documents, { limits: limitsOf(options), mayIntrospect: mayIntrospectOf(options), log });
}

/** Whatever ends an operation tells the metrics. */
function withAccessLog(metrics: RouterMetrics, accessLog: AccessLog | null): RouterMetrics {
  if (accessLog === null) return metrics;
  const { operations } = metrics;
  return {
    ...metrics,
    operations: {
      ...operations,
      ended(end) {
        const seconds = operations.ended(end);
        accessLog.operation(end, seconds);
        return seconds;
      },
      left: (end) => accessLog.operation(end, (performance.now() - end.started) / 1000),
    },
  };
}

function csrfHeadersOf({ csrfPrevention = false }: RouterOptions): readonly string[] | null {
  if (typeof csrfPrevention === 'boolean') return csrfPrevention ? PREFLIGHT_HEADERS : null;
  return csrfPrevention.headers.map((name) => name.toLowerCase());
}

interface GenerationContext {
  options: RouterOptions;
  connections: Connections;
  metrics: RouterMetrics;
  cache: ResponseCache | null;
  demandControl: () => Demand;
}

async function generationOf(sdl: string, context: GenerationContext): Promise<Generation> {
  const { options, connections, metrics, cache, demandControl } = context;
  const { log, planCache, authorization = {} } = options;
  const { evaluatePolicies: evaluate, policiesTtlMs: ttlMs } = authorization;
  const sharedPlans = planCache === undefined ? undefined : { cache: planCache, log };
  const supergraph = await loadSupergraph(sdl, { sharedPlans });
  try {
    const subgraphs = supergraph.subgraphs.map(({ name, url }) => ({ name, url: options.subgraphUrl?.(name) ?? url }));
    const prepare = createPrepare(supergraph, {
      limits: limitsOf(options),
      costing: options.demand ? demandControl().costingOf(supergraph, options.demand) : null,
      mayIntrospect: mayIntrospectOf(options),
      authorization,
      heldPolicies: createPolicyEvaluation({ evaluate, ttlMs, log }),
      ...(authorization.errors?.log === true ? { onUnauthorized: logUnauthorized(log) } : {}),
      onPlan: (outcome) => metrics.planLookups.inc({ outcome }),
      ...(options.holdsOverride === undefined ? {} : { holdsOverride: options.holdsOverride }),
    });
    const engine = createEngine({
      supergraph,
      prepare,
      identityOf: options.identityOf ?? null,
      propagateHeaders: createHeaderPropagation(headerRulesOf(options)),
      connections: connections.lease(subgraphs),
      log,
      metrics,
      cache,
      redaction: createRedaction(options.subgraphErrors ?? { all: true }, log),
      resume: options.resume ?? {},
      ...(options.eventQueueCapacity === undefined ? {} : { eventQueueCapacity: options.eventQueueCapacity }),
    });
    metrics.usage.learn(supergraph.schema);
    return { supergraph, prepare, engine };
  } catch (error) {
    supergraph.unload();
    throw error;
  }
}

const logUnauthorized =
  (log: Logger): NonNullable<PrepareOptions['onUnauthorized']> =>
  (paths, { requestId, principal }) =>
    log.warn({ requestId, userId: principal.userId, paths }, 'an operation asks for what its caller may not see');
