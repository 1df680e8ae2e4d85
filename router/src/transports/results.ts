import { OperationTypeNode } from 'graphql';
import type { GraphQLError } from 'graphql';
import type { Engine, Session } from '../engine.ts';
import type { IncrementalUpdate } from '../execution/deferral.ts';
import type { ExecutionOutcome } from '../execution/execute-operation.ts';
import type { RouterMetrics } from '../metrics.ts';
import type { PreparedOperation } from '../operations/prepare-operation.ts';
import { isAsyncIterable, observed } from './observed-stream.ts';

/** What a client is sent as one message; as JSON it is the response of the GraphQL specification. */
export type Result = CompleteResult | IncrementalUpdate;

type CompleteResult = {
  errors?: readonly GraphQLError[];
  data?: Record<string, unknown> | null;
  extensions?: Readonly<Record<string, unknown>> | undefined;
  hasNext?: boolean;
};

/** The results of one operation in their order. `return` ends it, also while a `next` is pending. */
export type ResultStream = AsyncIterableIterator<Result, undefined>;

/**
 * Runs a prepared operation of any kind: a query or a mutation gives one result, or several where it defers and the
 * session is incremental; a subscription one for each event. A subscription that ends with an error rejects with a GraphQLError.
 *
 * `started`: when it was asked for, by `performance.now()`.
 *
 * @throws OperationRefused
 */
export async function startOperation(
  prepared: PreparedOperation,
  session: Session,
  { engine, metrics, started }: { engine: Engine; metrics: RouterMetrics; started: number },
): Promise<ResultStream> {
  const { operation } = prepared.operation;
  if (operation === OperationTypeNode.SUBSCRIPTION) {
    metrics.usage.count(prepared, session.client);
    const stream = await engine.subscribe(prepared, session);
    if (!isAsyncIterable(stream)) return resultsOf(stream);
    return observed(stream, metrics, (events) =>
      metrics.operations.left({ session, prepared, started, outcome: 'ok', errors: undefined, events }),
    );
  }
  const outcome = await engine.execute(prepared, session);
  const { errors } = outcome;
  const cost = outcome.cost?.total;
  metrics.operations.ended({
    session,
    prepared,
    started,
    outcome: errors === undefined ? 'ok' : 'errors',
    errors,
    cost,
  });
  return resultsOf(outcome);
}

/** The whole response of an operation; errors come first, as the specification recommends. */
export function responseOf({ errors, data, extensions }: Omit<CompleteResult, 'hasNext'>): object {
  return errors === undefined ? { data, extensions } : { errors, data, extensions };
}

/** What is deferred follows the first result; then, and only then, that one says that more comes. */
export function resultsOf({
  errors,
  data,
  extensions,
  incremental,
}: CompleteResult & Pick<ExecutionOutcome, 'incremental'>): ResultStream {
  let first: CompleteResult | null = {
    ...(errors === undefined ? {} : { errors }),
    ...(data === undefined ? {} : { data }),
    ...(extensions === undefined ? {} : { extensions }),
    ...(incremental === undefined ? {} : { hasNext: true }),
  };
  return {
    async next() {
      if (first === null) return incremental?.next() ?? { value: undefined, done: true };
      const value = first;
      first = null;
      return { value, done: false };
    },
    async return() {
      first = null;
      await incremental?.return?.();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
