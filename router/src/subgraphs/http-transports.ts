import type { Logger } from '@timbre/platform/logger';
import type { RouterMetrics } from '../metrics.ts';
import type { BreakerState } from './circuit-breaker.ts';
import type { SubgraphAddress } from './connections.ts';
import { createHttpTransport } from './http-transport.ts';
import type { HttpTransportOptions } from './http-transport.ts';
import type { SubgraphTransport } from './subgraph-transport.ts';

const GAUGE: Readonly<Record<BreakerState, number>> = { closed: 0, 'half-open': 1, open: 2 };

/** Makes the transports of one router: they are counted, and know of each other's mutations. */
export function createHttpTransports(
  options: HttpTransportOptions | undefined,
  { log, metrics }: { log: Logger; metrics: RouterMetrics },
): (subgraph: SubgraphAddress) => SubgraphTransport {
  const changes = { count: 0 };
  return ({ name, url }) => {
    const labels = { subgraph: name };
    metrics.subgraphBreaker.set(labels, GAUGE.closed);
    const events = {
      onBreaker(state: BreakerState) {
        metrics.subgraphBreaker.set(labels, GAUGE[state]);
        if (state === 'open') log.error(labels, 'the subgraph does not answer: it is not called for now');
        if (state === 'closed') log.info(labels, 'the subgraph answers again');
      },
      onRetry: () => metrics.subgraphRetries.inc(labels),
      onShared: () => metrics.sharedFetches.inc(labels),
    };
    return createHttpTransport({ name, url }, options, events, changes);
  };
}
