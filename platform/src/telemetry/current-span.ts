import { AsyncLocalStorage } from 'node:async_hooks';
import type { Span } from './tracing.ts';

/** What is being done, for those who cannot be told of it: a query of a resolver's repository belongs to its request. */
export const currentSpan = new AsyncLocalStorage<Span>();

/** Runs what belongs to a span, and ends it; what it throws is told of by `failureOf`. */
export async function withinSpan<T>(
  span: Span | undefined,
  run: () => Promise<T>,
  failureOf: (error: unknown) => string = nameOf,
): Promise<T> {
  if (span === undefined) return run();
  try {
    // Awaited within: a query that is built but not begun begins when it is awaited.
    return await (span.recorded ? currentSpan.run(span, async () => await run()) : run());
  } catch (error) {
    span.fail(failureOf(error));
    throw error;
  } finally {
    span.end();
  }
}

/** Not the message: that can hold what a person has written. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'Error';
}
