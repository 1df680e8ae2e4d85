import { GraphQLError } from 'graphql';
import type { Engine, Policy, Session } from '../engine.ts';
import type { IncrementalUpdate } from '../execution/deferral.ts';
import type { ExecutionOutcome } from '../execution/execute-operation.ts';
import type { OutcomeStream } from '../subscriptions/subscribe-operation.ts';
import { budgetHeaders } from './budget-headers.ts';
import type { Allowance, Budgets, Taken } from './budgets.ts';
import { forPrincipal } from './demand-options.ts';
import type { DemandOptions } from './demand-options.ts';
import type { DemandMeters } from './demand-metrics.ts';
import type { ActualCost } from './operation-costs.ts';
import { throttled, throttledMessage } from './throttled.ts';

export interface DemandPolicyOptions extends Pick<DemandOptions, 'mode' | 'budget' | 'tell'> {
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

/**
 * Takes what an operation may cost from the caller's bucket before any subgraph is called, and gives back what it did not
 * cost when it has ended, well or not; where it cost more, that is taken too. A subscription pays what it may cost at its
 * start, and what each event has cost; one that its bucket cannot pay any more ends with THROTTLED.
 */
export function createDemandPolicy(options: DemandPolicyOptions): Policy {
  const { mode, budget = null, tell = false, budgets, keyOf, meters } = options;
  const enforces = mode === 'enforce';

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

  const costExtension = (made: Bill | null, numbers: Record<string, number>, available: number) => ({
    cost: made === null ? numbers : { ...numbers, budget: { ...budgetOf(made.allowance, available) } },
  });

  function settled(
    outcome: ExecutionOutcome,
    made: Bill | null,
    estimated: number,
    session: Session,
  ): ExecutionOutcome {
    const actual = outcome.cost?.total ?? estimated;
    meters.of(session.principal).actual(actual);
    const available = made === null ? 0 : settle(made, actual);
    return dressed(outcome, made, { estimated, actual }, available);
  }

  function dressed(
    outcome: ExecutionOutcome,
    made: Bill | null,
    numbers: Record<string, number>,
    available: number,
  ): ExecutionOutcome {
    if (tell) outcome.extensions = { ...outcome.extensions, ...costExtension(made, numbers, available) };
    if (made !== null) outcome.headers = { ...outcome.headers, ...budgetHeaders(made.allowance, available, null) };
    return outcome;
  }

  /** The last part says what all of it has cost. */
  function settledAtEnd(
    parts: AsyncIterableIterator<IncrementalUpdate, undefined>,
    {
      made,
      cost,
      estimated,
      session,
    }: { made: Bill | null; cost: ActualCost | undefined; estimated: number; session: Session },
  ): AsyncIterableIterator<IncrementalUpdate, undefined> {
    let available: number | null = null;
    const end = (): number => {
      if (available === null) {
        const actual = cost?.total ?? estimated;
        meters.of(session.principal).actual(actual);
        available = made === null ? 0 : settle(made, actual);
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
            const numbers = { estimated, actual: cost?.total ?? estimated };
            if (tell)
              return {
                value: {
                  ...part.value,
                  extensions: { ...part.value.extensions, ...costExtension(made, numbers, left) },
                },
                done: false,
              };
          }
          return part;
        } catch (error) {
          end();
          throw error;
        }
      },
      async return() {
        end();
        await parts.return?.();
        return { value: undefined, done: true };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  async function execute(next: Engine, prepared: Parameters<Engine['execute']>[0], session: Session) {
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
    if (incremental === undefined) return settled(outcome, made, estimated, session);
    const first = dressed(outcome, made, { estimated }, made?.taken.available ?? 0);
    return { ...first, incremental: settledAtEnd(incremental, { made, cost, estimated, session }) };
  }

  /** What an event has cost is taken when it is there; what it may cost, nobody knows before. */
  async function paid(event: ExecutionOutcome, made: Bill | null, session: Session): Promise<ExecutionOutcome | null> {
    const actual = event.cost?.total ?? 0;
    meters.of(session.principal).actual(actual);
    if (made === null) return dressed(event, null, { actual }, 0);
    const { key, allowance } = made;
    const taken = await budgets.take(key, allowance, actual);
    if (taken.granted) return dressed(event, made, { actual }, taken.available);
    if (!enforces) return dressed(event, made, { actual }, taken.source.give(key, allowance, -actual));
    made.taken = taken;
    return null;
  }

  function payingStream(events: OutcomeStream, made: Bill | null, session: Session): OutcomeStream {
    return {
      async next() {
        const event = await events.next();
        if (event.done === true) return event;
        const value = await paid(event.value, made, session);
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

  async function subscribe(next: Engine, prepared: Parameters<Engine['subscribe']>[0], session: Session) {
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
      ? payingStream(events, made, session)
      : settled(events, made, estimated, session);
  }

  return (next) => ({
    ...next,
    execute: (prepared, session) => execute(next, prepared, session),
    subscribe: (prepared, session) => subscribe(next, prepared, session),
  });
}

function budgetOf({ limit, restoreRate }: Allowance, available: number) {
  return { limit, available: Math.floor(available), restoreRate };
}

function outOfPoints(cost: number, made: Bill | null): GraphQLError {
  if (made === null) return new GraphQLError('Throttled', { extensions: { code: 'THROTTLED' } });
  const { message, details } = throttledMessage(cost, made.taken.available, made.allowance);
  return new GraphQLError(`The subscription has ended. ${message}`, { extensions: { code: 'THROTTLED', details } });
}
