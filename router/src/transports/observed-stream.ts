import type { RouterMetrics } from '../metrics.ts';

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
  let open = true;
  const ended = () => {
    if (open) metrics.subscriptions.dec();
    open = false;
  };
  metrics.subscriptions.inc();
  return {
    async next() {
      try {
        const result = await stream.next();
        if (result.done === true) ended();
        else metrics.subscriptionEvents.inc();
        return result;
      } catch (error) {
        ended();
        throw error;
      }
    },
    async return() {
      ended();
      await stream.return?.();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
