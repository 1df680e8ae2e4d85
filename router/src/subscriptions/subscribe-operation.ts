import type { ErrorCode } from '@timbre/platform/errors';
import type { Logger } from '@timbre/platform/logger';
import type { Span } from '@timbre/platform/telemetry/tracing';
import { GraphQLError } from 'graphql';
import type { GraphQLSchema } from 'graphql';
import type { Principal } from '../auth/principal.ts';
import { onRevoked } from '../auth/revocation.ts';
import type { FetchStep } from '../execution/compile-plan.ts';
import type { Execution, ExecutionOutcome } from '../execution/execute-operation.ts';
import type { CallContext } from '../subgraphs/subgraph-transport.ts';
import { atSecond } from './at-second.ts';
import { completeEvent, upstreamError } from './complete-event.ts';
import { createEventQueue } from './event-queue.ts';
import { upstreamOperation } from './resume.ts';
import type { Place, ResumeRules, UpstreamOperation } from './resume.ts';
import type { SharedUpstream } from './shared-upstream.ts';

/**
 * Events that wait for one client, and bytes of them, before it counts as too slow. What overflows is not
 * dropped silently: the subscription ends with the error SUBSCRIPTION_OVERFLOW, and the client can come back.
 * One event may be larger.
 */
export const EVENT_QUEUE_CAPACITY = 1_000;
const EVENT_QUEUE_BYTES = 8 * 1024 * 1024;

/** What a subscription runs on: its operation as it was prepared on one supergraph. */
export interface SubscriptionTarget {
  execution: Execution;
  /** The same for one event, as a part of its span. */
  executionIn: (span: Span) => Execution;
  /** What is subscribed to. */
  primary: FetchStep;
  schema: GraphQLSchema;
  upstream: SharedUpstream;
  /** Whether the caller may still see what it might when it was prepared; null where nothing can change that. */
  isStillAllowed: (() => boolean | Promise<boolean>) | null;
  /** Called once, when nothing of the subscription runs on it any more. */
  onLeft: () => void;
}

export interface SubscribeOptions {
  target: SubscriptionTarget;
  log: Logger;
  context: CallContext;
  principal: Principal;
  /** How subscriptions go on after the subgraph was away. */
  resume: ResumeRules;
  capacity?: number;
}

export type OutcomeStream = AsyncIterableIterator<ExecutionOutcome, undefined>;

/** A subscription of a client, whatever it runs on. */
export interface Subscription extends OutcomeStream {
  /**
   * Goes on with the operation as it was prepared on another supergraph. Where it asks its subgraph for the same, the
   * upstream stays and what comes from now on is completed anew (`kept`). Where it asks for something else,
   * that is subscribed to (`renewed`): by a resume rule from the last event on, without a gap; without one the old
   * upstream is left only when the new one has had its first event, or a second has passed.
   */
  move(target: SubscriptionTarget): 'kept' | 'renewed';
  /** Ends it with an error; what is queued is dropped. */
  fail(code: ErrorCode, message: string): void;
}

/** One upstream of a subscription. Another takes its place when the supergraph asks for another. */
interface Leg {
  target: SharedTarget;
  operation: UpstreamOperation;
  unsubscribe: (() => void) | null;
  /** Events of it that wait in the queue. */
  queued: number;
}

interface SharedTarget extends SubscriptionTarget {
  /** The leg, and completions that run on it. */
  holds: number;
  left: boolean;
}

interface QueuedEvent {
  leg: Leg;
  event: unknown;
  bytes: number;
}

/** How long an upstream is waited for that says nothing, while the one before it goes on. */
const OVERLAP_MS = 1_000;

/**
 * Runs a plan's `Subscription {primary, rest}`: the primary fetch is subscribed to at its subgraph, and
 * every event is completed by `rest` and shaped like a response, one after the other. The stream ends
 * with a GraphQLError when the token expires, the client is too slow or the subgraph stays away.
 */
export function subscribeOperation(options: SubscribeOptions): Subscription {
  const { context, principal, capacity = EVENT_QUEUE_CAPACITY } = options;
  let done = false;
  let queuedBytes = 0;
  let current: Leg | null = null;
  /** What takes the place of the current one when it has said something. */
  let incoming: Leg | null = null;
  /** Left, with events in the queue. */
  let leaving: Leg[] = [];
  let overlap: NodeJS.Timeout | undefined;
  let callOffExpiry: (() => void) | null = null;
  let callOffRevocation: (() => void) | null = null;

  const queue = createEventQueue<QueuedEvent>({
    capacity,
    onDone: () => {
      done = true;
      callOffExpiry?.();
      callOffRevocation?.();
      clearTimeout(overlap);
      for (const leg of [current, incoming]) if (leg !== null) detach(leg);
      for (const leg of leaving) release(leg.target);
    },
  });
  const fail = (code: ErrorCode, message: string) => queue.fail(new GraphQLError(message, { extensions: { code } }));

  function open(target: SubscriptionTarget, place: Place | null): Leg {
    const { execution, primary, schema } = target;
    const variables = Object.fromEntries(
      primary.variables
        .filter((name) => execution.variables[name] !== undefined)
        .map((name) => [name, execution.variables[name]]),
    );
    const coerced = execution.coercedVariables;
    const operation = upstreamOperation(primary.operation, variables, options.resume, { schema, coerced, place });
    return { target: { ...target, holds: 1, left: false }, operation, unsubscribe: null, queued: 0 };
  }

  function attach(leg: Leg): void {
    const { operation, target } = leg;
    const { subgraph, operationName } = target.primary.operation;
    const unsubscribe = target.upstream.subscribe(
      { principal, operation, operationName, context },
      {
        next(event, bytes) {
          if (leg === incoming) promote();
          if (leg !== current) return;
          operation.saw(event);
          const fits = queuedBytes === 0 || queuedBytes + bytes <= EVENT_QUEUE_BYTES;
          if (fits && queue.push({ leg, event, bytes })) {
            leg.queued += 1;
            queuedBytes += bytes;
            return;
          }
          const behind = fits ? `${capacity} events` : `${EVENT_QUEUE_BYTES} bytes`;
          fail('SUBSCRIPTION_OVERFLOW', `The client is more than ${behind} behind.`);
        },
        error(errors) {
          if (!isLast(leg)) return;
          if (errors === null) fail('SUBGRAPH_UNAVAILABLE', `The subgraph "${subgraph}" cannot be reached.`);
          else queue.fail(upstreamError(subgraph, errors, target.execution.redact ?? null));
        },
        complete() {
          if (isLast(leg)) queue.end();
        },
      },
    );
    if (done) unsubscribe();
    else leg.unsubscribe = unsubscribe;
  }

  /** Whether the stream ends with this upstream; one that is being left ends nothing. */
  function isLast(leg: Leg): boolean {
    if (leg === current && incoming !== null) {
      promote();
      return false;
    }
    if (leg === incoming) promote();
    return leg === current;
  }

  function detach(leg: Leg): void {
    leg.unsubscribe?.();
    leg.unsubscribe = null;
    if (leg.queued === 0 || done) release(leg.target);
    else leaving.push(leg);
  }

  function promote(): void {
    clearTimeout(overlap);
    const previous = current;
    current = incoming;
    incoming = null;
    if (previous !== null) detach(previous);
  }

  /** Null where the caller may not see any more what is asked. */
  async function complete({ leg, event, bytes }: QueuedEvent): Promise<ExecutionOutcome | null> {
    const { target } = leg;
    queuedBytes -= bytes;
    target.holds += 1;
    leg.queued -= 1;
    if (leg.queued === 0 && leaving.includes(leg)) {
      leaving = leaving.filter((other) => other !== leg);
      release(target);
    }
    try {
      if (target.isStillAllowed !== null && !(await target.isStillAllowed())) return null;
      return await completeEvent(event, target, options);
    } finally {
      release(target);
    }
  }

  if (principal.expiresAt !== null) {
    callOffExpiry = atSecond(principal.expiresAt, () =>
      fail('SUBSCRIPTION_AUTH_EXPIRED', 'The token has expired: subscribe again with a new one.'),
    );
  }
  current = open(options.target, null);
  attach(current);
  if (!done) {
    callOffRevocation = onRevoked(principal, () => fail('SUBSCRIPTION_AUTH_REVOKED', 'The session has ended.'));
  }

  return {
    move(target) {
      if (done || current === null) {
        target.onLeft();
        return 'kept';
      }
      if (incoming !== null) promote();
      const leg: Leg = current;
      if (isSame(leg.target, target)) {
        release(leg.target);
        leg.target = { ...target, holds: 1, left: false };
        return 'kept';
      }
      const place = leg.operation.place();
      incoming = open(target, place);
      attach(incoming);
      if (incoming?.operation.place()?.root === place?.root && place !== null) promote();
      else if (!done) overlap = setTimeout(promote, OVERLAP_MS).unref();
      return 'renewed';
    },
    fail,
    async next() {
      const event = await queue.next();
      if (event.done === true) return { value: undefined, done: true };
      const value = await complete(event.value);
      if (value !== null) return { value, done: false };
      fail('SUBSCRIPTION_AUTH_EXPIRED', 'What the caller may see has changed: subscribe again.');
      await queue.next();
      return { value: undefined, done: true };
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

function isSame(a: SubscriptionTarget, b: SubscriptionTarget): boolean {
  const [one, other] = [a.primary.operation, b.primary.operation];
  return a.upstream === b.upstream && one.query === other.query && one.operationName === other.operationName;
}

function release(target: SharedTarget): void {
  target.holds -= 1;
  if (target.holds > 0 || target.left) return;
  target.left = true;
  target.onLeft();
}
