import { collectDefaultMetrics, Registry } from 'prom-client';
import { createCountedHistogram } from './counted-histogram.ts';
import type { CountedHistogram } from './counted-histogram.ts';

export interface Metrics {
  /** Add a service's own metrics with `registers: [metrics.registry]`. */
  registry: Registry;
  /** Seconds, by `route` (a fixed name, never a raw path) and `status`. */
  httpDuration: CountedHistogram<readonly ['route', 'status']>;
}

/** Each look at the event loop wakes the process; ten a second find its delays as well as a hundred do. */
const LOOK_MS = 100;

/** A process's metrics: Node's own and the HTTP server's, every one labelled with the service. */
export function createMetrics(options: { service: string }): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service: options.service });
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOK_MS });
  const httpDuration = createCountedHistogram({
    name: 'timbre_http_request_duration_seconds',
    help: 'Time from the head of a request to the end of its response.',
    labelNames: ['route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registry,
  });
  return { registry, httpDuration };
}
