import type { RouterMetrics } from '../metrics.ts';
import type { OutcomeStream } from '../subscriptions/subscribe-operation.ts';
import { watchStream } from '../subscriptions/watch-stream.ts';

export function isAsyncIterable<T>(
  value: AsyncIterableIterator<T, undefined> | object,
): value is AsyncIterableIterator<T, undefined> {
  return Symbol.asyncIterator in value;
}

/** The same stream, counted while it is open. */
export function observed(
  stream: OutcomeStream,
  metrics: RouterMetrics,
  onEnd: (events: number) => void,
): OutcomeStream {
  let events = 0;
  metrics.subscriptions.inc();
  return watchStream(stream, {
    onEvent({ errors }) {
      events += 1;
      metrics.subscriptionEvents.inc();
      if (errors !== undefined) metrics.operations.errors(errors);
    },
    onEnd() {
      metrics.subscriptions.dec();
      onEnd(events);
    },
  });
}
