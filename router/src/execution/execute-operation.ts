import type { GraphQLError } from 'graphql';
import { ActualCost } from '../demand/operation-costs.ts';
import type { SubgraphRequest, SubgraphResponse } from '../subgraphs/subgraph-transport.ts';
import { clientErrors } from './client-errors.ts';
import type { FetchError } from './client-errors.ts';
import { completeObject, startCompletion } from './complete-response.ts';
import { copyData } from './data.ts';
import type { Data } from './data.ts';
import { createDeferral } from './deferral.ts';
import type { IncrementalUpdate } from './deferral.ts';
import type { ExecutableOperation } from './executable-operation.ts';
import { recordErrors } from './fetch-errors.ts';
import type { RedactErrors } from './redact-errors.ts';
import type { ObjectShape } from './response-shape.ts';
import { runPlan } from './run-plan.ts';
import type { PlanRun } from './run-plan.ts';

export interface Execution {
  executable: ExecutableOperation;
  /** As the client sent them: subgraphs coerce them by their own schema. */
  variables: Readonly<Record<string, unknown>>;
  /** By the supergraph's schema, defaults included. */
  coercedVariables: Readonly<Record<string, unknown>>;
  /** @throws SubgraphFailure */
  call: (request: SubgraphRequest) => Promise<SubgraphResponse>;
  /** Default: clients are told what subgraphs say of their errors. */
  redact?: RedactErrors | null;
  /** Subgraphs that are not to be called for it. */
  overpriced?: ReadonlySet<string> | null;
}

export interface ExecutionOutcome {
  data: Data | null;
  errors?: GraphQLError[];
  /** With `@defer`: what follows, in order; absent otherwise. `return()` ends it early. */
  incremental?: AsyncIterableIterator<IncrementalUpdate, undefined>;
  /** Of the response. */
  extensions?: Readonly<Record<string, unknown>>;
  /** Of the response over HTTP. */
  headers?: Readonly<Record<string, string>>;
  /** What it cost, where that is counted; it grows while deferred parts are made. Clients are not sent it. */
  cost?: ActualCost;
}

/** Executes a query or a mutation. A subgraph that is down nulls its fields, with an error at each, and nothing else. */
export async function executeOperation(execution: Execution): Promise<ExecutionOutcome> {
  const { executable, variables, coercedVariables } = execution;
  const shape = executable.shapeFor(coercedVariables);
  const deferral = createDeferral();
  const run = startRun(execution, executable.introspect?.(variables) ?? {}, deferral);
  await runPlan(executable.plan.step, run);
  const outcome = respond(shape, run);
  const incremental = deferral.deliver({ run, shape, delivered: outcome.data });
  return incremental === null ? outcome : { ...outcome, incremental };
}

/** Completes one event of a subscription: what its subgraph sent is the start, the rest of the plan adds to it. */
export async function executeEvent(execution: Execution, event: SubgraphResponse): Promise<ExecutionOutcome> {
  const { executable, coercedVariables } = execution;
  const { plan } = executable;
  const { primary } = plan;
  if (primary === null) throw new Error('Only a subscription has events.');
  // An event may be several clients': what is added to it is added to a copy.
  const isAddedTo = plan.step !== null || primary.rewriteOutput !== null;
  const data = event.data ?? {};
  const run = startRun(execution, isAddedTo ? copyData(data) : data, {
    onDefer: () => undefined,
    onFetched: () => undefined,
  });
  run.cost?.fetched(primary.operation, run.data);
  primary.rewriteOutput?.(run.data);
  if (event.errors !== undefined) recordErrors(primary, run, null, event);
  if (plan.step !== null) await runPlan(plan.step, run);
  return respond(executable.shapeFor(coercedVariables), run);
}

function startRun(
  { executable, variables, coercedVariables, call, redact = null, overpriced = null }: Execution,
  data: Data,
  { onDefer, onFetched }: Pick<PlanRun, 'onDefer' | 'onFetched'>,
): PlanRun {
  const errors: FetchError[] = [];
  const unanswered = new WeakSet<Data>();
  const { asksFor, placement, hides, costs } = executable;
  const told = { errors, asksFor, placement, hides, redact };
  const cost = costs === null ? null : new ActualCost(costs, coercedVariables);
  return {
    ...told,
    data,
    unanswered,
    variables,
    coerced: coercedVariables,
    call,
    cost,
    overpriced,
    onDefer,
    onFetched,
  };
}

function respond(shape: ObjectShape, run: PlanRun): ExecutionOutcome {
  const completion = startCompletion();
  const data = completeObject(shape, run.data, completion);
  const outcome: ExecutionOutcome =
    run.errors.length === 0 && completion.errors.length === 0
      ? { data }
      : { data, ...clientErrors(shape, run, completion.errors) };
  if (run.cost !== null) {
    run.cost.completed(shape, run.data);
    outcome.cost = run.cost;
  }
  return outcome;
}
