import type { ErrorCode } from '@timbre/platform/errors';
import type { Logger } from '@timbre/platform/logger';
import { GraphQLError } from 'graphql';
import type { GraphQLSchema } from 'graphql';
import type { Principal } from '../auth/principal.ts';
import { internalError } from '../execution/client-errors.ts';
import type { FetchStep } from '../execution/compile-plan.ts';
import { executeEvent } from '../execution/execute-operation.ts';
import type { Execution, ExecutionOutcome } from '../execution/execute-operation.ts';
import { parseSubgraphResponse } from '../subgraphs/read-response.ts';
import type { CallContext } from '../subgraphs/subgraph-transport.ts';
import { createEventQueue } from './event-queue.ts';
import { upstreamOperation } from './resume.ts';
import type { ResumeRules } from './resume.ts';
import type { SharedUpstream } from './shared-upstream.ts';

/**
 * Events that wait for one client before it counts as too slow. What overflows is not dropped
 * silently: the subscription ends with the error SUBSCRIPTION_OVERFLOW, and the client can come back.
 */
export const EVENT_QUEUE_CAPACITY = 1_000;

export interface SubscribeOptions {
  execution: Execution;
  /** What is subscribed to. */
  primary: FetchStep;
  schema: GraphQLSchema;
  log: Logger;
  upstream: SharedUpstream;
  context: CallContext;
  principal: Principal;
  /** How subscriptions go on after the subgraph was away. */
  resume: ResumeRules;
  capacity?: number;
}

export type OutcomeStream = AsyncIterableIterator<ExecutionOutcome, undefined>;

/**
 * Runs a plan's `Subscription {primary, rest}`: the primary fetch is subscribed to at its subgraph, and
 * every event is completed by `rest` and shaped like a response, one after the other. The stream ends
 * with a GraphQLError when the token expires, the client is too slow or the subgraph stays away.
 */
export function subscribeOperation(options: SubscribeOptions): OutcomeStream {
  const { execution, primary, upstream, context, principal, capacity = EVENT_QUEUE_CAPACITY } = options;

  let unsubscribe: (() => void) | null = null;
  let expiry: NodeJS.Timeout | undefined;
  const queue = createEventQueue<unknown>({
    capacity,
    onDone: () => {
      clearTimeout(expiry);
      unsubscribe?.();
    },
  });
  const fail = (code: ErrorCode, message: string) => queue.fail(new GraphQLError(message, { extensions: { code } }));

  const variables = Object.fromEntries(
    primary.variables
      .filter((name) => execution.variables[name] !== undefined)
      .map((name) => [name, execution.variables[name]]),
  );
  const operation = upstreamOperation(primary.operation, variables, options.resume, {
    schema: options.schema,
    coerced: execution.coercedVariables,
  });
  if (principal.expiresAt !== null) expiry = expiryTimer(principal.expiresAt, fail);
  unsubscribe = upstream.subscribe(
    { principal, operation, operationName: primary.operation.operationName, context },
    {
      next: (event) => {
        if (queue.push(event)) return;
        fail('SUBSCRIPTION_OVERFLOW', `The client is more than ${capacity} events behind.`);
      },
      error: (errors) => {
        const { subgraph } = primary.operation;
        if (errors === null) fail('SUBGRAPH_UNAVAILABLE', `The subgraph "${subgraph}" cannot be reached.`);
        else queue.fail(upstreamError(errors));
      },
      complete: () => queue.end(),
    },
  );

  return {
    async next() {
      const event = await queue.next();
      if (event.done === true) return { value: undefined, done: true };
      return { value: await complete(event.value, options), done: false };
    },
    return: async () => {
      await queue.return();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

const MAX_TIMEOUT_MS = 2_147_483_647;

function expiryTimer(expiresAt: number, fail: (code: ErrorCode, message: string) => void): NodeJS.Timeout | undefined {
  const left = expiresAt * 1000 - Date.now();
  if (left > MAX_TIMEOUT_MS) return undefined;
  return setTimeout(
    () => fail('SUBSCRIPTION_AUTH_EXPIRED', 'The token has expired: subscribe again with a new one.'),
    Math.max(0, left),
  ).unref();
}

async function complete(event: unknown, options: SubscribeOptions): Promise<ExecutionOutcome> {
  const { execution, primary, context, log } = options;
  try {
    return await executeEvent(execution, parseSubgraphResponse(primary.operation.subgraph, event));
  } catch (error) {
    log.error({ err: error, requestId: context.requestId }, 'an event could not be completed');
    return { data: null, errors: [internalError(context.requestId)] };
  }
}

function upstreamError(errors: readonly unknown[]): GraphQLError {
  const response = parseSubgraphResponse('subscription', { errors });
  const [first] = response.errors ?? [];
  const { stacktrace: _stacktrace, exception: _exception, ...extensions } = first?.extensions ?? {};
  return new GraphQLError(first?.message ?? 'The subgraph ended the subscription.', { extensions });
}
