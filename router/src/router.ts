import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { createRelaxedLimiter } from '@timbre/platform/limiter/create-relaxed-limiter';
import { Registry } from 'prom-client';
import { authenticateNobody } from './auth/authenticator.ts';
import { DRY_RUN_WARNING } from './auth/authorization.ts';
import { createInvalidationHandler } from './cache/invalidation-handler.ts';
import { createResponseCache } from './cache/response-cache.ts';
import type { ResponseCache } from './cache/response-cache.ts';
import { createDemand } from './demand/demand.ts';
import type { Demand } from './demand/demand.ts';
import { createDocumentsPolicy } from './documents/documents-policy.ts';
import type { DocumentsPolicy } from './documents/documents-policy.ts';
import type { Engine, Policy } from './engine.ts';
import { Admission } from './limits/admission.ts';
import { createCallers } from './limits/callers.ts';
import { createConcurrencyLimits } from './limits/concurrency-limits.ts';
import { createRateLimits } from './limits/rate-limits.ts';
import { createRouterMetrics } from './metrics.ts';
import { createHotOperations } from './operations/hot-operations.ts';
import { keepHotOperations } from './operations/keep-hot-operations.ts';
import { createReloadingEngine } from './reloading-engine.ts';
import { createConnections } from './subgraphs/connections.ts';
import { createHttpTransports } from './subgraphs/http-transports.ts';
import { createWsTransport } from './subgraphs/ws-transport.ts';
import { shareUpstream } from './subscriptions/shared-upstream.ts';
import type { UsageFilter, UsageReport } from './telemetry/field-usage.ts';
import { traceOperations } from './telemetry/trace-operations.ts';
import { createAccessLog } from './transports/access-log.ts';
import { createAddressOf } from './transports/caller-address.ts';
import { createHttpHandler } from './transports/http/http-handler.ts';
import { createWsHandler } from './transports/ws/ws-handler.ts';
import { buildGeneration } from './build-generation.ts';
import { CHANGEABLE_OPTIONS, csrfHeadersOf, limitsOf, mayIntrospectOf, varyOf } from './router-options.ts';
import type { ChangeableOptions, RouterOptions } from './router-options.ts';
import { logOperations } from './transports/log-operations.ts';

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
/** Of a websocket: long texts go over HTTP, and a socket has many operations that last. */
const MAX_MESSAGE_BYTES = 256 * 1024;
const DEFAULT_KEEP_ALIVE_MS = 30_000;
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
  const metrics = logOperations(createRouterMetrics(registry), accessLog);
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
  const admission = new Admission(() => settings.concurrency?.total ?? Infinity);
  let demand: Demand | null = null;
  /** Made when it is first asked for; then it stays, so that nobody's budget is full again because a rule has changed. */
  const demandControl = (): Demand =>
    (demand ??= createDemand({
      registry,
      buckets: options.buckets ?? null,
      keyOf: (session) => callers.of(session).key,
    }));
  const engine = await createReloadingEngine(options.supergraph, {
    build: (sdl) => buildGeneration(sdl, { options: settings, connections, metrics, cache, demandControl }),
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
    if (settings.authorization?.dryRun === true) log.warn(DRY_RUN_WARNING);
    /** The outermost first: telemetry, limits, documents, demand. One that is off is not among them. */
    const policies: Policy[] = [];
    if (options.tracing) policies.push(traceOperations(options.tracing));
    if (rates !== null) policies.push(createRateLimits(rates, { callers, limiter }));
    if (concurrency !== null) policies.push(createConcurrencyLimits(concurrency, { callers, admission }));
    if (documents !== null) policies.push(documents.policy);
    if (settings.demand) policies.push(demandControl().policyOf(settings.demand));
    const guarded = policies.reduceRight<Engine>((next, policy) => policy(next), engine);
    const handle = createHttpHandler({
      engine: guarded,
      authenticate,
      admission,
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
    maxMessageBytes: Math.min(maxBodyBytes, MAX_MESSAGE_BYTES),
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

function cacheOf({ responseCache = null, ...options }: RouterOptions, registry: Registry): ResponseCache | null {
  if (responseCache === null) return null;
  const { log, bus = null, credentialHeaders = [] } = options;
  return createResponseCache(responseCache, { log, registry, bus, credentialHeaders, vary: varyOf(options) });
}

function invalidationHandler({ responseCache }: RouterOptions, cache: ResponseCache | null): Router['invalidate'] {
  const sharedKey = responseCache?.invalidation?.sharedKey;
  if (cache === null || sharedKey === undefined) return null;
  return createInvalidationHandler({ sharedKey, invalidate: cache.invalidate });
}

function documentsOf(options: RouterOptions): DocumentsPolicy | null {
  const { documents = null, log } = options;
  if (documents === null) return null;
  return createDocumentsPolicy(documents, { limits: limitsOf(options), mayIntrospect: mayIntrospectOf(options), log });
}

function withoutChangeable(options: RouterOptions): RouterOptions {
  const fixed = { ...options };
  for (const name of CHANGEABLE_OPTIONS) delete fixed[name];
  return fixed;
}
