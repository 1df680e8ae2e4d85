import { createCountedHistogram } from '@timbre/platform/counted-histogram';
import type { CountedHistogram } from '@timbre/platform/counted-histogram';
import { createCountedOutcomes } from '@timbre/platform/counted-outcomes';
import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { OnPlan } from './operations/plans.ts';
import { createFieldUsage } from './telemetry/field-usage.ts';
import type { FieldUsage } from './telemetry/field-usage.ts';
import { createOperationMeter } from './telemetry/operation-meter.ts';
import type { OperationMeter } from './telemetry/operation-meter.ts';

/** What the router counts, beside what the HTTP server does. Labels come from small closed sets. */
export interface RouterMetrics {
  operations: OperationMeter;
  usage: FieldUsage;
  /** Told when an operation, or a subscription, begins to run (1) and has ended (-1). */
  active: (change: 1 | -1) => void;
  /** Told of each lookup of the plan cache. */
  planLookedUp: OnPlan;
  /** 1 for the supergraph that new operations run on, by the beginning of its SHA-256. */
  supergraph: Gauge<'id'>;
  /** By `swapped`, `unchanged` and `refused`. */
  reloads: Counter<'outcome'>;
  /** Open subscriptions at a reload: `kept` their upstream, `renewed` it, or `ended`. */
  subscriptionMoves: Counter<'outcome'>;
  /** Seconds by subgraph and outcome (`ok`, `errors`, `failed`). */
  fetchDuration: CountedHistogram<readonly ['subgraph', 'outcome']>;
  /** Of the circuit breaker of each subgraph: 0 closed, 1 half-open, 2 open. */
  subgraphBreaker: Gauge<'subgraph'>;
  /** Calls that were made again, as no answer had arrived. */
  subgraphRetries: Counter<'subgraph'>;
  /** Calls that were saved, as the same one was in flight. */
  sharedFetches: Counter<'subgraph'>;
  /** Refused tokens by code. */
  authFailures: Counter<'code'>;
  clientSockets: Gauge;
  upstreamSockets: Gauge;
  subscriptions: Gauge;
  subscriptionEvents: Counter;
}

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createRouterMetrics(registry: Registry): RouterMetrics {
  const registers = [registry];
  const usage = createFieldUsage(registry);
  return {
    operations: createOperationMeter(registry, usage),
    usage,
    active: countActive(registry),
    planLookedUp: createCountedOutcomes({
      name: 'timbre_router_plan_cache_lookups_total',
      help: 'Lookups of the query plan cache.',
      outcomes: ['hit', 'miss'],
      registry,
    }),
    supergraph: new Gauge({
      name: 'timbre_router_supergraph_info',
      help: 'The supergraph that new operations run on.',
      labelNames: ['id'] as const,
      registers,
    }),
    reloads: new Counter({
      name: 'timbre_router_reloads_total',
      help: 'Supergraphs that were to take the place of the present one.',
      labelNames: ['outcome'] as const,
      registers,
    }),
    subscriptionMoves: new Counter({
      name: 'timbre_router_subscription_moves_total',
      help: 'Subscriptions that were open when another supergraph took the place of theirs.',
      labelNames: ['outcome'] as const,
      registers,
    }),
    fetchDuration: createCountedHistogram({
      name: 'timbre_router_subgraph_fetch_duration_seconds',
      help: 'Time of calls to subgraphs.',
      labelNames: ['subgraph', 'outcome'],
      buckets: BUCKETS,
      registry,
    }),
    subgraphBreaker: new Gauge({
      name: 'timbre_router_subgraph_breaker_state',
      help: 'Whether a subgraph is called: 0 always, 1 to try, 2 not.',
      labelNames: ['subgraph'] as const,
      registers,
    }),
    subgraphRetries: new Counter({
      name: 'timbre_router_subgraph_retries_total',
      help: 'Calls to subgraphs made again, as no answer had arrived.',
      labelNames: ['subgraph'] as const,
      registers,
    }),
    sharedFetches: new Counter({
      name: 'timbre_router_shared_fetches_total',
      help: 'Calls to subgraphs saved, as the same one was in flight.',
      labelNames: ['subgraph'] as const,
      registers,
    }),
    authFailures: new Counter({
      name: 'timbre_router_auth_failures_total',
      help: 'Requests and sockets refused for their credentials, by code.',
      labelNames: ['code'] as const,
      registers,
    }),
    clientSockets: new Gauge({
      name: 'timbre_router_client_sockets',
      help: 'Websockets open to clients.',
      registers,
    }),
    upstreamSockets: new Gauge({
      name: 'timbre_router_upstream_sockets',
      help: 'Websockets open to subgraphs.',
      registers,
    }),
    subscriptions: new Gauge({ name: 'timbre_router_subscriptions', help: 'Subscriptions that are open.', registers }),
    subscriptionEvents: new Counter({
      name: 'timbre_router_subscription_events_total',
      help: 'Events sent to clients.',
      registers,
    }),
  };
}

/** What changes several times in a request is a number, and told when it is asked for. */
function countActive(registry: Registry): RouterMetrics['active'] {
  let active = 0;
  const gauge = new Gauge({
    name: 'timbre_router_active_operations',
    help: 'Operations that are prepared or executed, and subscriptions that are open.',
    registers: [],
    collect() {
      this.set(active);
    },
  });
  registry.registerMetric(gauge);
  return (change) => {
    active += change;
  };
}
