import type { Logger } from '@timbre/platform/logger';
import { createPolicyEvaluation } from './auth/evaluate-policies.ts';
import { checkReaches } from './cache/reach.ts';
import type { ResponseCache } from './cache/response-cache.ts';
import type { Demand } from './demand/demand.ts';
import { createEngine } from './engine.ts';
import { createRedaction } from './execution/redact-errors.ts';
import type { RouterMetrics } from './metrics.ts';
import { createPrepare } from './operations/prepare-operation.ts';
import type { PrepareOptions } from './operations/prepare-operation.ts';
import type { Generation } from './reloading-engine.ts';
import type { Connections } from './subgraphs/connections.ts';
import { createHeaderPropagation } from './subgraphs/propagate-headers.ts';
import { loadSupergraph } from './supergraph/load-supergraph.ts';
import { headerRulesOf, limitsOf, mayIntrospectOf } from './router-options.ts';
import type { RouterOptions } from './router-options.ts';

interface GenerationContext {
  options: RouterOptions;
  connections: Connections;
  metrics: RouterMetrics;
  cache: ResponseCache | null;
  demandControl: () => Demand;
}

/**
 * What runs the operations of one supergraph, by the options of now.
 *
 * @throws GraphQLError or Error where the supergraph cannot be served
 */
export async function buildGeneration(sdl: string, context: GenerationContext): Promise<Generation> {
  const { options, connections, metrics, cache, demandControl } = context;
  const { log, planCache, authorization = {} } = options;
  const { evaluatePolicies: evaluate, policiesTtlMs: ttlMs } = authorization;
  const sharedPlans = planCache === undefined ? undefined : { cache: planCache, log };
  const supergraph = await loadSupergraph(sdl, { sharedPlans });
  try {
    checkReaches(options.responseCache?.mutations ?? {}, supergraph);
    const subgraphs = supergraph.subgraphs.map(({ name, url }) => ({ name, url: options.subgraphUrl?.(name) ?? url }));
    const prepare = createPrepare(supergraph, {
      limits: limitsOf(options),
      costing: options.demand ? demandControl().costingOf(supergraph, options.demand) : null,
      mayIntrospect: mayIntrospectOf(options),
      authorization,
      heldPolicies: createPolicyEvaluation({ evaluate, ttlMs, log }),
      ...(authorization.errors?.log === true ? { onUnauthorized: logUnauthorized(log) } : {}),
      onPlan: metrics.planLookedUp,
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
