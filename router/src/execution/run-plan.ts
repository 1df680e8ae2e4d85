import type { ErrorPlacement } from '../auth/authorization.ts';
import type { ActualCost } from '../demand/operation-costs.ts';
import type { SubgraphRequest, SubgraphResponse } from '../subgraphs/subgraph-transport.ts';
import type { FetchError } from './client-errors.ts';
import type { DeferStep, FetchStep, PlanStep } from './compile-plan.ts';
import type { Data } from './data.ts';
import type { Path } from './places.ts';
import type { RedactErrors } from './redact-errors.ts';
import { runFetch } from './run-fetch.ts';

/** One run of a plan, or of a deferred part of it. */
export interface PlanRun {
  /** What was fetched so far, under the names of the plan; the steps of all parts add to it. */
  data: Data;
  errors: FetchError[];
  /** Objects of which something was asked for that no subgraph answered. */
  unanswered: WeakSet<Data>;
  /** As the client sent them. */
  variables: Readonly<Record<string, unknown>>;
  /** Whether the operation asks for what stands at a place of `data`, whatever the types and conditions. */
  asksFor: (path: Path) => boolean;
  /** Where it is said what the caller may not see. */
  placement: ErrorPlacement;
  /** Whether the errors of a fetch could quote what the caller may not see. */
  hides: (step: FetchStep) => boolean;
  /** By the supergraph's schema, defaults included: what conditions are decided by. */
  coerced: Readonly<Record<string, unknown>>;
  /** @throws SubgraphFailure */
  call: (request: SubgraphRequest) => Promise<SubgraphResponse>;
  /** Null where costs are not counted. */
  cost: ActualCost | null;
  /** Subgraphs that are not called, since all that is asked of them could cost too much. */
  overpriced: ReadonlySet<string> | null;
  /** Null: clients are told what subgraphs say of their errors. */
  redact: RedactErrors | null;
  /** Told of every step that has parts to be delivered later, when what comes before them begins. */
  onDefer: (step: DeferStep) => void;
  /** Told of every fetch with an id when it has ended, well or not, or a condition has left it out. */
  onFetched: (id: string) => void;
}

/** Never rejects because of a subgraph: what went wrong is among the errors of the run. */
export function runPlan(step: PlanStep | null, run: PlanRun): Promise<void> {
  if (step === null) return NOTHING_TO_DO;
  // Not one function that awaits: most plans are a fetch or two, and each wait takes its turns.
  if (step.kind === 'fetch') return runFetch(step, run);
  if (step.kind === 'sequence') return runSequence(step.steps, run);
  if (step.kind === 'parallel') return runParallel(step.steps, run);
  if (step.kind === 'defer') {
    run.onDefer(step);
    return runPlan(step.primary, run);
  }
  const isTrue = run.coerced[step.variable] === true;
  leaveOut(isTrue ? step.ifFalse : step.ifTrue, run);
  return runPlan(isTrue ? step.ifTrue : step.ifFalse, run);
}

const NOTHING_TO_DO = Promise.resolve();

async function runSequence(steps: readonly PlanStep[], run: PlanRun): Promise<void> {
  for (const each of steps) await runPlan(each, run);
}

async function runParallel(steps: readonly PlanStep[], run: PlanRun): Promise<void> {
  await Promise.all(steps.map((each) => runPlan(each, run)));
}

/** What waits for a fetch that a condition leaves out would wait for ever. */
function leaveOut(step: PlanStep | null, run: PlanRun): void {
  if (step === null) return;
  if (step.kind === 'fetch') {
    if (step.id !== undefined) run.onFetched(step.id);
    return;
  }
  if (step.kind === 'sequence' || step.kind === 'parallel') for (const each of step.steps) leaveOut(each, run);
  if (step.kind === 'defer') {
    for (const each of [step.primary, ...step.deferred.map((part) => part.step)]) leaveOut(each, run);
  }
  if (step.kind === 'condition') for (const each of [step.ifTrue, step.ifFalse]) leaveOut(each, run);
}

/** The steps with deferred parts that a run would come upon first, for a set of variables. */
export function deferSteps(step: PlanStep | null, coerced: Readonly<Record<string, unknown>>): readonly DeferStep[] {
  if (step === null || step.kind === 'fetch') return [];
  if (step.kind === 'condition')
    return deferSteps(coerced[step.variable] === true ? step.ifTrue : step.ifFalse, coerced);
  return step.kind === 'defer' ? [step] : step.steps.flatMap((each) => deferSteps(each, coerced));
}
