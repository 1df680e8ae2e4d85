import type {
  DeferNode,
  FetchNode,
  PlanNode,
  QueryPlan,
  QueryPlanSelectionNode,
  SubscriptionNode,
} from '@apollo/query-planner';
import type { SubgraphOperation } from '../subgraphs/subgraph-transport.ts';
import { compileContext } from './context-arguments.ts';
import type { ContextArguments } from './context-arguments.ts';
import { compileHoldsKey } from './entity-key.ts';
import type { HoldsKey } from './entity-key.ts';
import type { Path } from './places.ts';
import { compileRepresentations } from './representation.ts';
import type { Representations } from './representation.ts';
import { compileRewrites } from './rewrites.ts';
import type { Rewrite } from './rewrites.ts';
import type { LoadedSupergraph } from '../supergraph/load-supergraph.ts';
import type { PossibleTypes } from './type-conditions.ts';

/** What is to be known of a supergraph's types. */
export type PlanTypes = Pick<LoadedSupergraph, 'possibleTypes' | 'keys'>;

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
  /** What entities are represented by; nothing for a fetch of root fields. */
  requires: readonly QueryPlanSelectionNode[];
  /** Null for a fetch of root fields. */
  representations: Representations | null;
  /** Whether a representation, as it is sent, can be resolved; of the others, nothing is wanted. */
  holdsKey: HoldsKey;
  rewriteInput: Rewrite | null;
  rewriteOutput: Rewrite | null;
  context: ContextArguments | null;
  possibleTypes: PossibleTypes;
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
export function compilePlan(plan: QueryPlan, types: PlanTypes): CompiledPlan {
  const { node } = plan;
  if (node?.kind !== 'Subscription') return { primary: null, step: compile(node, [], types) };
  const { primary, rest }: SubscriptionNode = node;
  return { primary: compileFetch(primary, [], types), step: compile(rest, [], types) };
}

function compile(node: PlanNode | undefined, path: Path, types: PlanTypes): PlanStep | null {
  if (node === undefined) return null;
  if (node.kind === 'Fetch') return compileFetch(node, path, types);
  if (node.kind === 'Flatten') return compile(node.node, [...path, ...node.path], types);
  if (node.kind === 'Sequence') return { kind: 'sequence', steps: compileAll(node.nodes, path, types) };
  if (node.kind === 'Parallel') return { kind: 'parallel', steps: compileAll(node.nodes, path, types) };
  if (node.kind === 'Defer') return compileDefer(node, path, types);
  return {
    kind: 'condition',
    variable: node.condition,
    ifTrue: compile(node.ifClause, path, types),
    ifFalse: compile(node.elseClause, path, types),
  };
}

function compileAll(nodes: readonly PlanNode[], path: Path, types: PlanTypes): PlanStep[] {
  return nodes.map((node) => compile(node, path, types)).filter((step) => step !== null);
}

function compileDefer({ primary, deferred }: DeferNode, path: Path, types: PlanTypes): DeferStep {
  return {
    kind: 'defer',
    primary: compile(primary.node, path, types),
    deferred: deferred.map((part) => ({
      label: part.label ?? '',
      dependsOn: part.depends.map(({ id }) => id),
      step: compile(part.node, path, types),
    })),
  };
}

function compileFetch(node: FetchNode, path: Path, types: PlanTypes): FetchStep {
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
    requires: node.requires ?? [],
    representations: node.requires === undefined ? null : compileRepresentations(node.requires, types.possibleTypes),
    holdsKey: compileHoldsKey(types.keys.get(node.serviceName) ?? new Map()),
    rewriteInput: compileRewrites(node.inputRewrites, types.possibleTypes),
    rewriteOutput: compileRewrites(node.outputRewrites, types.possibleTypes),
    context: compileContext(node.contextRewrites, types.possibleTypes),
    possibleTypes: types.possibleTypes,
  };
}
