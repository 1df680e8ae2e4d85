import { GraphQLError } from 'graphql';
import type { Engine, Policy, Session } from '../engine.ts';
import type { IncrementalUpdate } from '../execution/deferral.ts';
import type { ExecutionOutcome } from '../execution/execute-operation.ts';
import type { OutcomeStream } from '../subscriptions/subscribe-operation.ts';
import type { Allowance, Budgets, Taken } from './budgets.ts';
import { forPrincipal } from './demand-options.ts';
import type { DemandOptions } from './demand-options.ts';
import type { DemandMeters } from './demand-metrics.ts';
import type { ActualCost } from './operation-costs.ts';
import type { OperationRequest, PreparedOperation } from '../operations/prepare-operation.ts';
import { throttled, throttledMessage } from './throttled.ts';
import { createToldCosts } from './told-costs.ts';

export interface DemandPolicyOptions extends Pick<
  DemandOptions,
  'mode' | 'budget' | 'planning' | 'tell' | 'bySubgraph'
> {
  budgets: Budgets;
  /** Whose bucket it is: the user's, whatever token or key they come with, or the address's. */
  keyOf: (session: Session) => string;
  meters: DemandMeters;
}

/** One operation and the bucket that it is paid from. */
interface Bill {
  key: string;
  allowance: Allowance;
  estimated: number;
  taken: Taken;
}

/** What is to be settled when all parts have been delivered. */
interface Settlement {
  made: Bill | null;
  cost: ActualCost | undefined;
  prepared: PreparedOperation;
  session: Session;
}

/**
 * Takes what an operation may cost from the caller's bucket before any subgraph is called, and gives back what it did not
 * cost when it has ended, well or not; where it cost more, that is taken too. A client that leaves before gets nothing back.
 * A subscription pays what it may cost at its start, and what each event has cost; one that its bucket cannot pay any more
 * ends with THROTTLED.
 *
 * Who has nothing left is refused before anything is done for them, and what is new to this router is paid for before it
 * is parsed, validated and planned: that takes longer than most operations.
 */
export function createDemandPolicy(options: DemandPolicyOptions): Policy {
  const { mode, budget = null, planning = 0, tell = false, bySubgraph = false, budgets, keyOf, meters } = options;
  const enforces = mode === 'enforce';
  const told = createToldCosts({ tell, bySubgraph });

  /** @throws OperationRefused. Where costs are only measured, what it would refuse is counted when it is to be paid. */
  function checkNotEmpty(key: string, allowance: Allowance): void {
    const available = enforces ? budgets.known(key, allowance) : 1;
    if (available >= 1) return;
    meters.outcome('throttled');
    throw throttled(1, available, allowance, tell);
  }

  /** @throws OperationRefused */
  function payForNew(key: string, allowance: Allowance): void | Promise<void> {
    const points = Math.min(planning, allowance.limit);
    const paidBy = (taken: Taken): void => {
      if (taken.granted) return;
      if (!enforces) {
        taken.source.give(key, allowance, -points);
        return;
      }
      meters.outcome('throttled');
      throw throttled(points, taken.available, allowance, tell);
    };
    const taken = budgets.take(key, allowance, points);
    return taken instanceof Promise ? taken.then(paidBy) : paidBy(taken);
  }

  function prepare(next: Engine, request: OperationRequest, session: Session): Promise<PreparedOperation> {
    if (budget === null) return next.prepare(request, session);
    const key = keyOf(session);
    const allowance = forPrincipal(budget, session.principal);
    checkNotEmpty(key, allowance);
    if (planning === 0) return next.prepare(request, session);
    return next.prepare(request, { ...session, payForNew: () => payForNew(key, allowance) });
  }

  /** Null without budgets. */
  function bill(estimated: number, session: Session): Bill | Promise<Bill> | null {
    if (budget === null) return null;
    const key = keyOf(session);
    const allowance = forPrincipal(budget, session.principal);
    const taken = budgets.take(key, allowance, estimated);
    return taken instanceof Promise
      ? taken.then((late) => granted({ key, allowance, estimated, taken: late }))
      : granted({ key, allowance, estimated, taken });
  }

  /** @throws OperationRefused */
  function granted(made: Bill): Bill {
    const { key, allowance, estimated, taken } = made;
    meters.outcome(taken.granted ? 'ok' : 'throttled');
    if (taken.granted) return made;
    if (enforces) throw throttled(estimated, taken.available, allowance, tell);
    return { ...made, taken: { ...taken, available: taken.source.give(key, allowance, -estimated) } };
  }

  /** @returns what is in the bucket then */
  const settle = ({ key, allowance, estimated, taken }: Bill, actual: number): number =>
    actual === estimated ? taken.available : taken.source.give(key, allowance, estimated - actual);

  function settled(
    outcome: ExecutionOutcome,
    made: Bill | null,
    prepared: PreparedOperation,
    session: Session,
  ): ExecutionOutcome {
    const estimated = prepared.estimatedCost ?? 0;
    const actual = outcome.cost?.total ?? estimated;
    meters.of(session.principal).actual(actual);
    const hasLeft = session.signal?.aborted === true;
    const available = made === null ? 0 : settle(made, hasLeft ? withoutRefund(actual, made) : actual);
    return told.dress(
      outcome,
      made?.allowance,
      told.numbersOf({ estimated, actual }, prepared, outcome.cost),
      available,
    );
  }

  /** The last part says what all of it has cost. */
  function settledAtEnd(
    parts: AsyncIterableIterator<IncrementalUpdate, undefined>,
    { made, cost, prepared, session }: Settlement,
  ): AsyncIterableIterator<IncrementalUpdate, undefined> {
    const estimated = prepared.estimatedCost ?? 0;
    let available: number | null = null;
    const end = (hasLeft = false): number => {
      if (available === null) {
        const actual = cost?.total ?? estimated;
        meters.of(session.principal).actual(actual);
        available = made === null ? 0 : settle(made, hasLeft ? withoutRefund(actual, made) : actual);
      }
      return available;
    };
    return {
      async next() {
        try {
          const part = await parts.next();
          if (part.done === true) end();
          else if (!part.value.hasNext) {
            const left = end();
            if (tell) {
              const numbers = told.numbersOf({ estimated, actual: cost?.total ?? estimated }, prepared, cost);
              const extensions = { ...part.value.extensions, ...told.extension(made?.allowance, numbers, left) };
              return { value: { ...part.value, extensions }, done: false };
            }
          }
          return part;
        } catch (error) {
          end();
          throw error;
        }
      },
      async return() {
        end(true);
        await parts.return?.();
        return { value: undefined, done: true };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  async function execute(next: Engine, prepared: PreparedOperation, session: Session) {
    const estimated = prepared.estimatedCost ?? 0;
    meters.of(session.principal).estimated(estimated);
    const pending = bill(estimated, session);
    const made = pending instanceof Promise ? await pending : pending;
    let outcome: ExecutionOutcome;
    try {
      outcome = await next.execute(prepared, session);
    } catch (error) {
      if (made !== null) settle(made, 0);
      throw error;
    }
    const { incremental, cost } = outcome;
    if (incremental === undefined) return settled(outcome, made, prepared, session);
    const first = told.dress(
      outcome,
      made?.allowance,
      told.numbersOf({ estimated }, prepared, undefined),
      made?.taken.available ?? 0,
    );
    return { ...first, incremental: settledAtEnd(incremental, { made, cost, prepared, session }) };
  }

  /** What an event has cost is taken when it is there; what it may cost, nobody knows before. */
  async function paid(
    event: ExecutionOutcome,
    made: Bill | null,
    prepared: PreparedOperation,
    session: Session,
  ): Promise<ExecutionOutcome | null> {
    const actual = event.cost?.total ?? 0;
    meters.of(session.principal).actual(actual);
    const numbers = told.numbersOf({ actual }, prepared, event.cost);
    if (made === null) return told.dress(event, undefined, numbers, 0);
    const { key, allowance } = made;
    const taken = await budgets.take(key, allowance, actual);
    if (taken.granted) return told.dress(event, allowance, numbers, taken.available);
    if (!enforces) return told.dress(event, allowance, numbers, taken.source.give(key, allowance, -actual));
    made.taken = taken;
    return null;
  }

  function payingStream(
    events: OutcomeStream,
    made: Bill | null,
    prepared: PreparedOperation,
    session: Session,
  ): OutcomeStream {
    return {
      async next() {
        const event = await events.next();
        if (event.done === true) return event;
        const value = await paid(event.value, made, prepared, session);
        if (value !== null) return { value, done: false };
        await events.return?.();
        throw outOfPoints(event.value.cost?.total ?? 0, made);
      },
      async return() {
        await events.return?.();
        return { value: undefined, done: true };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  async function subscribe(next: Engine, prepared: PreparedOperation, session: Session) {
    const estimated = prepared.estimatedCost ?? 0;
    meters.of(session.principal).estimated(estimated);
    const made = await bill(estimated, session);
    let events: OutcomeStream | ExecutionOutcome;
    try {
      events = await next.subscribe(prepared, session);
    } catch (error) {
      if (made !== null) settle(made, 0);
      throw error;
    }
    return Symbol.asyncIterator in events
      ? payingStream(events, made, prepared, session)
      : settled(events, made, prepared, session);
  }

  return (next) => ({
    ...next,
    prepare: async (request, session) => prepare(next, request, session),
    execute: (prepared, session) => execute(next, prepared, session),
    subscribe: (prepared, session) => subscribe(next, prepared, session),
  });
}

/**
 * What a client has left is paid as if it had been answered: subgraphs were asked, and many go on with what nobody waits
 * for. Who asks and leaves at once would have their work for nothing.
 */
function withoutRefund(actual: number, { estimated }: Bill): number {
  return Math.max(actual, estimated);
}

function outOfPoints(cost: number, made: Bill | null): GraphQLError {
  if (made === null) return new GraphQLError('Throttled', { extensions: { code: 'THROTTLED' } });
  const { message, details } = throttledMessage(cost, made.taken.available, made.allowance);
  return new GraphQLError(`The subscription has ended. ${message}`, { extensions: { code: 'THROTTLED', details } });
}
