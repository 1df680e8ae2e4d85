import { Kind, parse } from 'graphql';
import type { FragmentDefinitionNode, OperationDefinitionNode, SelectionSetNode } from 'graphql';
import type { FragmentMap } from '../auth/filter-operation.ts';
import type { CompiledPlan, FetchStep, PlanStep } from '../execution/compile-plan.ts';

/** What a fetch asks its subgraph for. */
export interface FetchDocument {
  operation: OperationDefinitionNode;
  fragments: FragmentMap;
  /** What is selected of entities; null for a fetch of root fields. */
  entities: SelectionSetNode | null;
}

const documents = new WeakMap<FetchStep, FetchDocument>();

export function fetchDocument(step: FetchStep): FetchDocument {
  let document = documents.get(step);
  if (document === undefined) {
    document = read(step);
    documents.set(step, document);
  }
  return document;
}

function read(step: FetchStep): FetchDocument {
  const { definitions } = parse(step.operation.query, { noLocation: true });
  const fragments = new Map<string, FragmentDefinitionNode>();
  let operation: OperationDefinitionNode | null = null;
  for (const definition of definitions) {
    if (definition.kind === Kind.OPERATION_DEFINITION) operation = definition;
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  if (operation === null) throw new Error(`No operation for ${step.operation.subgraph}.`);
  const [first] = operation.selectionSet.selections;
  const isEntities = step.representations !== null && first?.kind === Kind.FIELD && first.name.value === '_entities';
  return { operation, fragments, entities: isEntities ? (first.selectionSet ?? null) : null };
}

/** Every fetch of a plan, the one that is subscribed to first. */
export function fetchSteps({ primary, step }: CompiledPlan): FetchStep[] {
  return [...(primary === null ? [] : [primary]), ...stepsIn(step)];
}

function stepsIn(step: PlanStep | null): FetchStep[] {
  if (step === null) return [];
  if (step.kind === 'fetch') return [step];
  if (step.kind === 'condition') return [...stepsIn(step.ifTrue), ...stepsIn(step.ifFalse)];
  if (step.kind === 'defer') return [step.primary, ...step.deferred.map((part) => part.step)].flatMap(stepsIn);
  return step.steps.flatMap(stepsIn);
}

/** The variables that decide which steps of a plan are run. */
export function planConditions(step: PlanStep | null): string[] {
  if (step === null || step.kind === 'fetch') return [];
  if (step.kind === 'condition') {
    return [step.variable, ...planConditions(step.ifTrue), ...planConditions(step.ifFalse)];
  }
  if (step.kind === 'defer') return [step.primary, ...step.deferred.map((part) => part.step)].flatMap(planConditions);
  return step.steps.flatMap(planConditions);
}
