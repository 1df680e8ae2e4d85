import type { RouterMetrics } from '../metrics.ts';
import { watchStream } from '../subscriptions/watch-stream.ts';

export function isAsyncIterable<T>(
  value: AsyncIterableIterator<T, undefined> | object,
): value is AsyncIterableIterator<T, undefined> {
  return Symbol.asyncIterator in value;
}

/** The same stream, counted while it is open. */
export function observed<T>(
  stream: AsyncIterableIterator<T, undefined>,
  metrics: RouterMetrics,
): AsyncIterableIterator<T, undefined> {
  metrics.subscriptions.inc();
  return watchStream(stream, {
    onEvent: () => metrics.subscriptionEvents.inc(),
    onEnd: () => metrics.subscriptions.dec(),
  });
}
