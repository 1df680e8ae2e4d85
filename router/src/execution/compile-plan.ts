import type {
  DeferNode,
  FetchNode,
  PlanNode,
  QueryPlan,
  QueryPlanSelectionNode,
  SubscriptionNode,
} from '@apollo/query-planner';
import type { SubgraphOperation } from '../subgraphs/subgraph-transport.ts';
import { addedTo } from './added-to.ts';
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
  /** Whether something is changed in, or added to, what it brings, below the objects that it brings something of. */
  isAddedTo: () => boolean;
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
export function compilePlan({ node }: QueryPlan, types: PlanTypes): CompiledPlan {
  let added: ReadonlySet<FetchStep> | null = null;
  const around: Around = { ...types, isAddedTo: (step) => (added ??= addedTo(compiled.step)).has(step) };
  const compiled = compileNode(node, around);
  return compiled;
}

/** What is known around a fetch. */
interface Around extends PlanTypes {
  isAddedTo: (step: FetchStep) => boolean;
}

function compileNode(node: QueryPlan['node'], around: Around): CompiledPlan {
  if (node?.kind !== 'Subscription') return { primary: null, step: compile(node, [], around) };
  const { primary, rest }: SubscriptionNode = node;
  return { primary: compileFetch(primary, [], around), step: compile(rest, [], around) };
}

function compile(node: PlanNode | undefined, path: Path, around: Around): PlanStep | null {
  if (node === undefined) return null;
  if (node.kind === 'Fetch') return compileFetch(node, path, around);
  if (node.kind === 'Flatten') return compile(node.node, [...path, ...node.path], around);
  if (node.kind === 'Sequence') return { kind: 'sequence', steps: compileAll(node.nodes, path, around) };
  if (node.kind === 'Parallel') return { kind: 'parallel', steps: compileAll(node.nodes, path, around) };
  if (node.kind === 'Defer') return compileDefer(node, path, around);
  return {
    kind: 'condition',
    variable: node.condition,
    ifTrue: compile(node.ifClause, path, around),
    ifFalse: compile(node.elseClause, path, around),
  };
}

function compileAll(nodes: readonly PlanNode[], path: Path, around: Around): PlanStep[] {
  return nodes.map((node) => compile(node, path, around)).filter((step) => step !== null);
}

function compileDefer({ primary, deferred }: DeferNode, path: Path, around: Around): DeferStep {
  return {
    kind: 'defer',
    primary: compile(primary.node, path, around),
    deferred: deferred.map((part) => ({
      label: part.label ?? '',
      dependsOn: part.depends.map(({ id }) => id),
      step: compile(part.node, path, around),
    })),
  };
}

function compileFetch(node: FetchNode, path: Path, around: Around): FetchStep {
  const step: FetchStep = {
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
    representations: node.requires === undefined ? null : compileRepresentations(node.requires, around.possibleTypes),
    holdsKey: compileHoldsKey(around.keys.get(node.serviceName) ?? new Map()),
    rewriteInput: compileRewrites(node.inputRewrites, around.possibleTypes),
    rewriteOutput: compileRewrites(node.outputRewrites, around.possibleTypes),
    context: compileContext(node.contextRewrites, around.possibleTypes),
    possibleTypes: around.possibleTypes,
    isAddedTo: () => around.isAddedTo(step),
  };
  return step;
}
