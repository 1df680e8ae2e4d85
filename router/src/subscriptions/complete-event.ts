import { GraphQLError } from 'graphql';
import { codeOf } from '../error-code.ts';
import { internalError } from '../execution/client-errors.ts';
import { executeEvent } from '../execution/execute-operation.ts';
import type { ExecutionOutcome } from '../execution/execute-operation.ts';
import { withoutPrivate } from '../execution/redact-errors.ts';
import type { RedactErrors } from '../execution/redact-errors.ts';
import { parseSubgraphResponse } from '../subgraphs/read-response.ts';
import { SubgraphFailure } from '../subgraphs/subgraph-transport.ts';
import { beginEventSpan } from '../telemetry/event-span.ts';
import type { SubscribeOptions, SubscriptionTarget } from './subscribe-operation.ts';

/**
 * Completes an event that a subgraph sent by the rest of the plan, in a span of its own. What fails is an error in the
 * event's place, and ends nothing.
 */
export async function completeEvent(
  event: unknown,
  { execution, executionIn, primary }: Pick<SubscriptionTarget, 'execution' | 'executionIn' | 'primary'>,
  { context, log }: Pick<SubscribeOptions, 'context' | 'log'>,
): Promise<ExecutionOutcome> {
  const span = context.span?.recorded === true ? beginEventSpan(context.span, event) : undefined;
  try {
    const response = parseSubgraphResponse(primary.operation.subgraph, event);
    const outcome = await executeEvent(span === undefined ? execution : executionIn(span), response);
    if (outcome.errors !== undefined) span?.fail(codeOf(outcome.errors[0]));
    return outcome;
  } catch (error) {
    span?.fail(error instanceof SubgraphFailure ? error.code : 'INTERNAL_SERVER_ERROR');
    if (error instanceof SubgraphFailure) return { data: null, errors: [failureError(error)] };
    log.error({ err: error, requestId: context.requestId }, 'an event could not be completed');
    return { data: null, errors: [internalError(context.requestId)] };
  } finally {
    span?.end();
  }
}

/** With what a stream ends whose subgraph has ended it with these errors. */
export function upstreamError(subgraph: string, errors: readonly unknown[], redact: RedactErrors | null): GraphQLError {
  try {
    const sent = parseSubgraphResponse(subgraph, { errors }).errors ?? [];
    const [first] = redact?.(sent, subgraph) ?? sent;
    const extensions = withoutPrivate(first?.extensions);
    return new GraphQLError(first?.message ?? 'The subgraph ended the subscription.', { extensions });
  } catch (error) {
    if (error instanceof SubgraphFailure) return failureError(error);
    throw error;
  }
}

function failureError({ message, code, subgraph }: SubgraphFailure): GraphQLError {
  return new GraphQLError(message, { extensions: { code, service: subgraph } });
}
