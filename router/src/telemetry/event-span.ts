import type { Span } from '@timbre/platform/telemetry/tracing';

/**
 * The span of an event of a subscription, with a link to the subscription: below the subgraph's, where the event
 * says which that is, and otherwise in a trace of its own.
 */
export function beginEventSpan(subscription: Span, event: unknown): Span {
  const hasExtensions = typeof event === 'object' && event !== null && 'extensions' in event;
  const extensions = hasExtensions ? event.extensions : null;
  const from = typeof extensions === 'object' && extensions !== null ? { ...extensions } : {};
  return subscription.follow('subscription event', 'internal', {}, from);
}
