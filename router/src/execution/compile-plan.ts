import type { DeferNode, FetchNode, PlanNode, QueryPlan, SubscriptionNode } from '@apollo/query-planner';
import type { SubgraphOperation } from '../subgraphs/subgraph-transport.ts';
import { compileContext } from './context-arguments.ts';
import type { ContextArguments } from './context-arguments.ts';
import type { Path } from './places.ts';
import { compileRepresentation } from './representation.ts';
import type { Represent } from './representation.ts';
import { compileRewrites } from './rewrites.ts';
import type { Rewrite } from './rewrites.ts';
import type { PossibleTypes } from './type-conditions.ts';

/** A fetch of a plan, ready to be run many times. */
export interface FetchStep {
  kind: 'fetch';
  /** What deferred parts name when they wait for this fetch. */
  id: string | undefined;
  operation: SubgraphOperation;
  /** Where in the response it belongs, from its root. */
  path: Path;
  /** The client's variables that it takes. */
  variables: readonly string[];
  /** Null for a fetch of root fields. */
  represent: Represent | null;
  rewriteInput: Rewrite | null;
  rewriteOutput: Rewrite | null;
  context: ContextArguments | null;
}

export interface DeferStep {
  kind: 'defer';
  primary: PlanStep | null;
  deferred: readonly DeferredPart[];
}

export interface DeferredPart {
  label: string;
  /** Ids of fetches in what comes before. */
  dependsOn: readonly string[];
  step: PlanStep | null;
}

export type PlanStep =
  | FetchStep
  | DeferStep
  | { kind: 'sequence'; steps: readonly PlanStep[] }
  | { kind: 'parallel'; steps: readonly PlanStep[] }
  | { kind: 'condition'; variable: string; ifTrue: PlanStep | null; ifFalse: PlanStep | null };

export interface CompiledPlan {
  /** Null where nothing needs to be fetched; what follows each event, for a subscription. */
  step: PlanStep | null;
  /** What a subscription subscribes to; null for queries and mutations. */
  primary: FetchStep | null;
}

/** Compiles a plan: once per plan, whatever the variables and whoever asks. */
export function compilePlan(plan: QueryPlan, possibleTypes: PossibleTypes): CompiledPlan {
  const { node } = plan;
  if (node?.kind !== 'Subscription') return { primary: null, step: compile(node, [], possibleTypes) };
  const { primary, rest }: SubscriptionNode = node;
  return { primary: compileFetch(primary, [], possibleTypes), step: compile(rest, [], possibleTypes) };
}

function compile(node: PlanNode | undefined, path: Path, possibleTypes: PossibleTypes): PlanStep | null {
  if (node === undefined) return null;
  if (node.kind === 'Fetch') return compileFetch(node, path, possibleTypes);
  if (node.kind === 'Flatten') return compile(node.node, [...path, ...node.path], possibleTypes);
  if (node.kind === 'Sequence') return { kind: 'sequence', steps: compileAll(node.nodes, path, possibleTypes) };
  if (node.kind === 'Parallel') return { kind: 'parallel', steps: compileAll(node.nodes, path, possibleTypes) };
  if (node.kind === 'Defer') return compileDefer(node, path, possibleTypes);
  return {
    kind: 'condition',
    variable: node.condition,
    ifTrue: compile(node.ifClause, path, possibleTypes),
    ifFalse: compile(node.elseClause, path, possibleTypes),
  };
}

function compileAll(nodes: readonly PlanNode[], path: Path, possibleTypes: PossibleTypes): PlanStep[] {
  return nodes.map((node) => compile(node, path, possibleTypes)).filter((step) => step !== null);
}

function compileDefer({ primary, deferred }: DeferNode, path: Path, possibleTypes: PossibleTypes): DeferStep {
  return {
    kind: 'defer',
    primary: compile(primary.node, path, possibleTypes),
    deferred: deferred.map((part) => ({
      label: part.label ?? '',
      dependsOn: part.depends.map(({ id }) => id),
      step: compile(part.node, path, possibleTypes),
    })),
  };
}

function compileFetch(node: FetchNode, path: Path, possibleTypes: PossibleTypes): FetchStep {
  return {
    kind: 'fetch',
    id: node.id,
    operation: {
      subgraph: node.serviceName,
      kind: node.operationKind,
      query: node.operation,
      operationName: node.operationName,
    },
    path,
    variables: node.variableUsages ?? [],
    represent: node.requires === undefined ? null : compileRepresentation(node.requires, possibleTypes),
    rewriteInput: compileRewrites(node.inputRewrites, possibleTypes),
    rewriteOutput: compileRewrites(node.outputRewrites, possibleTypes),
    context: compileContext(node.contextRewrites, possibleTypes),
  };
}
