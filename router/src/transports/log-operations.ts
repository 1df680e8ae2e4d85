import type { RouterMetrics } from '../metrics.ts';
import type { AccessLog } from './access-log.ts';

/** Whatever ends an operation tells the metrics. */
export function logOperations(metrics: RouterMetrics, accessLog: AccessLog | null): RouterMetrics {
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
