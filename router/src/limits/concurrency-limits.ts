import type { ExecutionOutcome } from '../execution/execute-operation.ts';
import type { Policy } from '../engine.ts';
import type { PreparedOperation } from '../operations/prepare-operation.ts';
import { refusal } from '../operations/refusal.ts';
import type { OperationRefused } from '../operations/refusal.ts';
import type { OutcomeStream } from '../subscriptions/subscribe-operation.ts';
import { watchStream } from '../subscriptions/watch-stream.ts';
import { isAsyncIterable } from '../transports/observed-stream.ts';
import type { Admission } from './admission.ts';
import type { Callers } from './callers.ts';

/** Of one principal (or of all who are anonymous at one address) in one router process, unless it says otherwise. */
export interface ConcurrencyOptions {
  /** Queries and mutations of everybody at once, each for a second at most; others wait for two seconds at most. */
  total?: number;
  /** Queries and mutations at once. */
  operations?: number;
  subscriptions?: number;
  /** Of the documents and variables of all subscriptions: they are kept for as long as those are open. */
  subscriptionBytes?: number;
  /** Websockets. */
  sockets?: number;
  /** Websockets of one address, whoever comes by it. Behind a proxy that is not told of, all come by one. */
  socketsPerAddress?: number;
  /** Operations on one websocket, subscriptions included. */
  operationsPerSocket?: number;
}

const RETRY_AFTER = { 'retry-after': '1' };

/** @returns the refusal of what there is too much of at once */
export function tooMuchAtOnce(limit: keyof ConcurrencyOptions, maximum: number): OperationRefused {
  const what = limit.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return refusal(
    'CONCURRENCY_LIMITED',
    `Too much at once: the limit is ${maximum} ${what}.`,
    { details: { limit, maximum } },
    { status: 429, headers: RETRY_AFTER },
  );
}

/**
 * Refuses with CONCURRENCY_LIMITED what a caller asks while too much is running for that caller already, and with OVERLOADED
 * what anybody asks while so much is running for all that it would have to wait for too long.
 */
export function createConcurrencyLimits(
  { operations = Infinity, subscriptions = Infinity, subscriptionBytes = Infinity }: ConcurrencyOptions,
  { callers, admission }: { callers: Callers; admission: Admission },
): Policy {
  return (next) => ({
    ...next,
    async prepare(request, session) {
      const caller = callers.of(session);
      if (caller.operations >= operations) throw tooMuchAtOnce('operations', operations);
      caller.operations += 1;
      let end: (() => void) | null = null;
      try {
        const turn = admission.wait();
        if (turn !== undefined) await turn;
        end = admission.begin();
        return await next.prepare(request, session);
      } finally {
        caller.operations -= 1;
        end?.();
      }
    },
    // What has been prepared is not refused any more: it counted while it was, and counts again from now on.
    async execute(prepared, session) {
      const caller = callers.of(session);
      const onEnd = () => {
        caller.operations -= 1;
      };
      const end = admission.begin();
      caller.operations += 1;
      let goesOn = false;
      try {
        const outcome = await next.execute(prepared, session);
        if (outcome.incremental === undefined) return outcome;
        goesOn = true;
        return { ...outcome, incremental: watchStream(outcome.incremental, { onEnd }) };
      } finally {
        end();
        if (!goesOn) onEnd();
      }
    },
    subscribe(prepared, session) {
      const caller = callers.of(session);
      if (caller.subscriptions >= subscriptions) throw tooMuchAtOnce('subscriptions', subscriptions);
      const bytes = subscriptionBytes === Infinity ? 0 : bytesOf(prepared);
      if (caller.subscriptionBytes + bytes > subscriptionBytes) {
        throw tooMuchAtOnce('subscriptionBytes', subscriptionBytes);
      }
      const started = next.subscribe(prepared, session);
      caller.subscriptions += 1;
      caller.subscriptionBytes += bytes;
      const onEnd = () => {
        caller.subscriptions -= 1;
        caller.subscriptionBytes -= bytes;
      };
      return started instanceof Promise ? countedOnceStarted(started, onEnd) : watchStream(started, { onEnd });
    },
  });
}

/** As they were sent: what was planned of it is the same for all. */
function bytesOf({ operation, variables }: PreparedOperation): number {
  return (operation.loc?.source.body.length ?? 0) + Buffer.byteLength(JSON.stringify(variables));
}

/** One of which nothing is allowed ends with its first answer. */
async function countedOnceStarted(
  starting: Promise<ExecutionOutcome | OutcomeStream>,
  onEnd: () => void,
): Promise<ExecutionOutcome | OutcomeStream> {
  let goesOn = false;
  try {
    const started = await starting;
    if (!isAsyncIterable(started)) return started;
    goesOn = true;
    return watchStream(started, { onEnd });
  } finally {
    if (!goesOn) onEnd();
  }
}
