import type { IncomingHttpHeaders } from 'node:http';
import type { Bus } from '@timbre/platform/bus/bus';
import type { Invalidation } from '@timbre/platform/cache/invalidation';
import type { VersionedStore } from '@timbre/platform/cache/versioned-store';
import type { Logger } from '@timbre/platform/logger';
import { OperationTypeNode } from 'graphql';
import type { Registry } from 'prom-client';
import { holdsScope, isAuthenticated } from '../auth/principal.ts';
import type { Principal } from '../auth/principal.ts';
import type { ExecutionOutcome } from '../execution/execute-operation.ts';
import type { CallContext, SubgraphRequest, SubgraphResponse } from '../subgraphs/subgraph-transport.ts';
import { createCallers } from './callers.ts';
import { createCacheSummary } from './cache-summary.ts';
import type { ToldTo } from './cache-summary.ts';
import type { CacheView } from './cache-view.ts';
import { createChangesBus } from './changes-bus.ts';
import { createEntries } from './entries.ts';
import { createFetchCache } from './fetch-cache.ts';
import { invalidatedBy } from './invalidated-tags.ts';
import type { KeepingRules } from './keeping.ts';
import { MAX_KEPT_MS } from './keeping.ts';
import { createKnownFetches } from './known-fetch.ts';
import type { CachedSupergraph } from './known-fetch.ts';
import { createCacheMetrics } from './lookup-metrics.ts';
import { ANYTHING } from './reach.ts';
import type { MutationReaches } from './reach.ts';
import { createSharedEntries } from './shared-entries.ts';
import { createTimeline } from './timeline.ts';
import type { Standpoint } from './timeline.ts';

export interface ResponseCacheOptions {
  /** What the process keeps at most; default 128 MiB. */
  maxBytes?: number;
  /** What routers share. Without one, a router knows of no mutations but its own. Not closed with the router. */
  store?: VersionedStore;
  /** Lets others invalidate over HTTP; default nobody. */
  invalidation?: { sharedKey: string };
  /** What mutations can change, where that is less than everything. */
  mutations?: MutationReaches;
  /** For all subgraphs; each is kept as it says in `Cache-Control`, and nothing else is, by default. */
  all?: SubgraphCaching;
  /** By the subgraph's name. */
  subgraphs?: Readonly<Record<string, SubgraphCaching>>;
}

export interface SubgraphCaching {
  enabled?: boolean;
  /** How long what is kept of whose answers no age is said; default: it is not. What is said to be private or nothing is private. */
  ttlSeconds?: number;
}

export interface ResponseCacheContext {
  log: Logger;
  registry: Registry;
  bus: Bus | null;
  /** Where callers' credentials come beside the usual headers. */
  credentialHeaders: readonly string[];
  /** Headers of clients on which answers may depend, beside their credentials. */
  vary: readonly string[];
}

/** Keeps what subgraphs answer, and gives it again. */
export interface ResponseCache {
  /** With what is known of a supergraph. */
  on(supergraph: CachedSupergraph): SupergraphCache;
  /** Has an effect as soon as it has resolved; before that, on other routers. */
  invalidate: (invalidations: readonly Invalidation[]) => Promise<void>;
  close(): Promise<void>;
}

/** Asks a subgraph. `isDetached`: also when the client has left. @throws SubgraphFailure */
export type Ask = (request: SubgraphRequest, isDetached?: boolean) => Promise<SubgraphResponse>;

export interface SupergraphCache {
  /** How the cache stands between one operation and the subgraphs. */
  open(operation: OperationTypeNode, caller: Caller, ask: Ask): CachedOperation;
}

export interface CachedOperation {
  ask: Ask;
  /** With what the client is told of keeping the response. */
  describe: (outcome: ExecutionOutcome) => ExecutionOutcome;
}

export interface Caller {
  principal: Principal;
  /** What subgraphs are sent of the client's headers. */
  headers: CallContext['headers'];
  /** The client's. */
  sent: IncomingHttpHeaders | undefined;
  /** Policies, which may go by anything of a request, have said what of it may be seen. */
  dependsOnPolicies: boolean;
}

/** What a caller may be known by. */
export const CREDENTIALS = ['authorization', 'x-api-key', 'cookie'] as const;
/** Asks for `extensions.cache`, of whom holds the scope. */
const DEBUG_HEADER = 'x-timbre-cache-debug';
const DEBUG_SCOPE = 'cache:debug';

/** Of Timbre's own graph a person who is at work has about 140 KiB of answers: enough for nine hundred at once. */
const DEFAULT_MAX_BYTES = 128 * 1024 * 1024;
/** Markers outlast what they are about by more than any clock is off. */
const MARKER_TTL_MS = MAX_KEPT_MS + 5 * 60 * 1000;

export function createResponseCache(
  options: ResponseCacheOptions,
  { log, registry, bus, credentialHeaders, vary }: ResponseCacheContext,
): ResponseCache {
  const { maxBytes = DEFAULT_MAX_BYTES, store = null, mutations = {} } = options;
  const metrics = createCacheMetrics(registry);
  const entries = createEntries({ maxBytes, onEvicted: metrics.evicted });
  metrics.watch(entries);
  const timeline = createTimeline({
    store,
    markerTtlMs: MARKER_TTL_MS,
    announce: (change) => changes?.announce(change),
    log,
  });
  const changes =
    bus === null
      ? null
      : createChangesBus({
          bus,
          log,
          onChange: timeline.heard,
          onInvalidations: (invalidations, id) => void invalidate(invalidations, id),
          onGap: timeline.gap,
        });
  /** The latest supergraph says which entities there are. */
  let current: Parameters<typeof invalidatedBy>[1] | null = null;

  /** Under an id, others who share the store do the same. */
  async function invalidate(invalidations: readonly Invalidation[], id?: string): Promise<void> {
    if (current === null) return;
    const changed = invalidatedBy(invalidations, current);
    await Promise.all(
      changed.map((change) =>
        timeline.invalidate(change, id === undefined ? undefined : `${id} ${change.parts?.join(' ') ?? ''}`),
      ),
    );
  }

  const rulesOf = createRules(options);
  const callers = createCallers();
  const credentials = [...new Set([...CREDENTIALS, ...credentialHeaders])];
  const told = { credentials, vary: [...credentials, ...vary] };
  const fetches = createFetchCache({
    timeline,
    entries,
    shared: store === null ? null : createSharedEntries(store, timeline),
    rulesOf,
    metricsOf: metrics.of,
  });

  return {
    on(supergraph) {
      const known = createKnownFetches(supergraph, mutations);
      current = { subgraphs: supergraph.subgraphs, entities: known.entities };

      function query(caller: Caller, call: Ask): CachedOperation {
        const { principal, headers } = caller;
        const { owner, name } = callers.of(principal);
        let standpoint: Standpoint | null | Promise<Standpoint | null> | undefined;
        const summary = createCacheSummary();
        const view: CacheView = {
          owner,
          headers: callers.headersKey(headers),
          standpoint: () => (standpoint ??= timeline.standpoint(name)),
          call,
          note: summary.note,
        };
        return {
          ask(request) {
            const { operation } = request;
            const fetch = rulesOf(operation.subgraph).enabled ? known.of(operation) : null;
            if (fetch !== null) return fetches.fetch(fetch, request, view);
            summary.note({ subgraph: operation.subgraph, kind: 'root', status: 'bypass', kept: null, tags: () => [] });
            return call(request);
          },
          describe: (outcome) => summary.describe(outcome, toldTo(caller, told)),
        };
      }

      function mutation({ principal }: Caller, call: Ask): Ask {
        const { name } = callers.of(principal);
        return async (request) => {
          const { operation } = request;
          if (operation.kind !== 'mutation') return call(request);
          const fetch = known.of(operation);
          let changed = fetch?.changedBy(null) ?? { tags: [], isAll: false };
          const ended = timeline.mutationBegins(name, fetch?.reach ?? ANYTHING);
          try {
            const response = await call(request);
            changed = fetch?.changedBy(response) ?? changed;
            return response;
          } finally {
            // Whatever the outcome: what failed may have changed something before.
            await ended(changed);
          }
        };
      }

      return {
        open(operation, caller, call) {
          if (operation === OperationTypeNode.QUERY) return query(caller, call);
          // What follows an event is about what has changed: it is asked for.
          return { ask: operation === OperationTypeNode.MUTATION ? mutation(caller, call) : call, describe: unchanged };
        },
      };
    },
    invalidate: (invalidations) => invalidate(invalidations),
    close: async () => changes?.close(),
  };
}

const unchanged = (outcome: ExecutionOutcome) => outcome;

function toldTo(
  { principal, sent = {}, dependsOnPolicies }: Caller,
  { credentials, vary }: { credentials: readonly string[]; vary: readonly string[] },
): ToldTo {
  return {
    isForOne: isAuthenticated(principal) || dependsOnPolicies || credentials.some((name) => sent[name] !== undefined),
    vary,
    debug: sent[DEBUG_HEADER] === '1' && holdsScope(new Set(principal.scopes), DEBUG_SCOPE),
  };
}

function createRules({ all, subgraphs = {} }: ResponseCacheOptions): (subgraph: string) => KeepingRules {
  const rules = new Map<string, KeepingRules>();
  return (subgraph) => {
    let known = rules.get(subgraph);
    if (known === undefined) {
      const own = Object.hasOwn(subgraphs, subgraph) ? subgraphs[subgraph] : undefined;
      known = {
        enabled: own?.enabled ?? all?.enabled ?? true,
        ttlSeconds: own?.ttlSeconds ?? all?.ttlSeconds ?? null,
      };
      rules.set(subgraph, known);
    }
    return known;
  };
}
