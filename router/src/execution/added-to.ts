import { Kind, parse } from 'graphql';
import type { SelectionSetNode } from 'graphql';
import type { FetchStep, PlanStep } from './compile-plan.ts';
import type { Path } from './places.ts';

interface Known {
  step: FetchStep;
  /** What has ended when it begins. */
  before: ReadonlySet<FetchStep>;
  path: Path;
  /** What it brings at its path; null where that is not known. */
  names: ReadonlySet<string> | null;
}

/**
 * Which fetches of a plan bring what others then change or add to: those that go further into it, and those that may bring
 * more of the same objects. What is in doubt counts.
 */
export function addedTo(plan: PlanStep | null): ReadonlySet<FetchStep> {
  const all: Known[] = [];
  const walk = (step: PlanStep | null, before: ReadonlySet<FetchStep>): FetchStep[] => {
    if (step === null) return [];
    if (step.kind === 'fetch') {
      all.push({ step, before, path: step.path.filter(isName), names: namesOf(step) });
      return [step];
    }
    if (step.kind === 'sequence') {
      const done: FetchStep[] = [];
      for (const each of step.steps) done.push(...walk(each, new Set([...before, ...done])));
      return done;
    }
    // What is deferred may come while the rest is still on its way.
    const parts =
      step.kind === 'parallel'
        ? step.steps
        : step.kind === 'condition'
          ? [step.ifTrue, step.ifFalse]
          : [step.primary, ...step.deferred.map((part) => part.step)];
    return parts.flatMap((part) => walk(part, before));
  };
  walk(plan, new Set());
  return new Set(all.filter((known) => isChanged(known, all)).map(({ step }) => step));
}

function isChanged(known: Known, all: readonly Known[]): boolean {
  if (known.step.rewriteOutput !== null) return true;
  return all.some((other) => other !== known && !known.before.has(other.step) && mayChange(other, known));
}

function mayChange(other: Known, known: Known): boolean {
  const common = Math.min(other.path.length, known.path.length);
  for (let index = 0; index < common; index += 1) if (other.path[index] !== known.path[index]) return false;
  const { names } = other;
  if (names === null || known.names === null) return true;
  const [further, next] = [other.path[common], known.path[common]];
  if (further !== undefined) return known.names.has(String(further));
  return next === undefined ? [...known.names].some((name) => names.has(name)) : names.has(String(next));
}

function isName(step: Path[number]): boolean {
  return typeof step === 'string' && step !== '@';
}

/** Response names. That of a type is a string, whoever brings it. */
function namesOf({ operation, representations, rewriteOutput }: FetchStep): Set<string> | null {
  if (rewriteOutput !== null) return null;
  const [definition, ...others] = parse(operation.query, { noLocation: true }).definitions;
  if (definition?.kind !== Kind.OPERATION_DEFINITION || others.length > 0) return null;
  const names = new Set<string>();
  const gather = (set: SelectionSetNode, depth: number): void => {
    for (const selection of set.selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) gather(selection.selectionSet, depth);
      if (selection.kind !== Kind.FIELD) continue;
      if (depth > 0 && selection.selectionSet !== undefined) gather(selection.selectionSet, depth - 1);
      else if (selection.name.value !== '__typename') names.add(selection.alias?.value ?? selection.name.value);
    }
  };
  // What is wanted of entities stands below `_entities`.
  gather(definition.selectionSet, representations === null ? 0 : 1);
  return names;
}
