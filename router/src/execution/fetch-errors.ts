import { isErrorCode } from '@timbre/platform/errors';
import { Kind, parse } from 'graphql';
import type { SelectionSetNode } from 'graphql';
import type { SubgraphFailure, SubgraphOperation, SubgraphResponse } from '../subgraphs/subgraph-transport.ts';
import type { FetchError } from './client-errors.ts';
import type { FetchStep } from './compile-plan.ts';
import { isData, isList } from './data.ts';
import { placesAt } from './places.ts';
import type { Path } from './places.ts';
import type { EntityBatch } from './run-fetch.ts';
import type { PlanRun } from './run-plan.ts';

/** More errors than anybody reads; each still stands at a null of its own. */
const MAX_ERRORS = 1_000;
/** `_entities` and an index. */
const ENTITY_STEPS = 2;
/** That a subgraph is down is said about fewer. */
const MAX_FAILURES = 100;

type Told = Pick<FetchError, 'error' | 'subgraph'>;

/** Notes the errors that a subgraph sent, each wherever what it is about stands in the response. */
export function recordErrors(
  step: FetchStep,
  run: PlanRun,
  batch: EntityBatch | null,
  { data, errors = [] }: SubgraphResponse,
): void {
  const places = placesAt(run.data, step.path);
  const { subgraph } = step.operation;
  const shown = run.redact?.(errors, subgraph) ?? errors;
  const from = shown === errors ? subgraph : null;
  for (const error of shown) {
    // Each of them is looked for at each place: a subgraph could keep everybody waiting with very many.
    if (run.errors.length >= MAX_ERRORS) return;
    const { path } = error;
    const told = { error, subgraph: from };
    const steps = path === undefined ? 0 : answeredSteps(data, path);
    if (path === undefined) {
      record(step, run, told, null);
    } else if (batch === null) {
      for (const place of places) {
        record(step, run, told, [...place.path, ...path], place.path.length + steps);
      }
    } else {
      const [, index, ...rest] = path;
      // It is about the whole fetch.
      if (index === undefined) recordAtFields(step, run, batch, told);
      for (const [at, place] of places.entries()) {
        if (batch.owners[at] === index) {
          const answered = place.path.length + steps - ENTITY_STEPS;
          record(step, run, told, [...place.path, ...rest], answered);
        }
      }
    }
  }
}

/** How many steps of a path lead to what is not null. */
function answeredSteps(data: unknown, path: Path): number {
  let value = data;
  for (const [index, step] of path.entries()) {
    if (isList(value)) value = value[Number(step)];
    else if (isData(value)) value = value[step];
    if (value === null || value === undefined) return index;
  }
  return path.length;
}

/** Notes that a subgraph gave no answer: one error at each field that it should have answered. */
export function recordFailure(
  step: FetchStep,
  run: PlanRun,
  batch: EntityBatch | null,
  { message, code }: SubgraphFailure,
): void {
  const told = { error: { message, extensions: { code } }, subgraph: step.operation.subgraph };
  if (code === 'CANCELED') {
    // Nobody is there to read more.
    record(step, run, told, null);
    return;
  }
  recordAtFields(step, run, batch, told);
}

/** One error at each field that the fetch should have brought. */
function recordAtFields(step: FetchStep, run: PlanRun, batch: EntityBatch | null, told: Told): void {
  const before = run.errors.length;
  const selected = selectionsOf(step.operation);
  for (const [at, place] of placesAt(run.data, step.path).entries()) {
    if (batch !== null && (batch.owners[at] ?? -1) < 0) continue;
    const names = batch === null ? fieldNames(selected, undefined) : entityFields(selected, place.object['__typename']);
    for (const name of names) record(step, run, told, [...place.path, name]);
    if (run.errors.length - before >= MAX_FAILURES) return;
  }
}

function record(step: FetchStep, { errors, hides }: PlanRun, told: Told, path: Path | null, answered = -1): void {
  if (errors.length >= MAX_ERRORS) return;
  const { error, subgraph } = told;
  errors.push({
    error: subgraph !== null && hides(step) ? discreet(error, subgraph) : error,
    subgraph,
    path,
    answered,
  });
}

/** An error without anything in which a value could stand. */
function discreet({ extensions }: FetchError['error'], subgraph: string): FetchError['error'] {
  const code = extensions?.['code'];
  const message = `The subgraph "${subgraph}" could not answer.`;
  return isErrorCode(code) ? { message, extensions: { code } } : { message };
}

function selectionsOf({ query }: SubgraphOperation): SelectionSetNode | undefined {
  const operation = parse(query, { noLocation: true }).definitions.find(
    ({ kind }) => kind === Kind.OPERATION_DEFINITION,
  );
  return operation?.kind === Kind.OPERATION_DEFINITION ? operation.selectionSet : undefined;
}

/** The response names that a fetch asks for of entities of a type. */
export function entityFieldsOf(operation: SubgraphOperation, type: unknown): ReadonlySet<string> {
  return entityFields(selectionsOf(operation), type);
}

/** Of entities, the fields on the type that was represented; all of them where none is named for it. */
function entityFields(set: SelectionSetNode | undefined, type: unknown): Set<string> {
  const entities = set?.selections.find(
    (selection) => selection.kind === Kind.FIELD && selection.name.value === '_entities',
  );
  if (entities?.kind !== Kind.FIELD) return new Set();
  const names = fieldNames(entities.selectionSet, type);
  return names.size > 0 ? names : fieldNames(entities.selectionSet, undefined);
}

/** Response names at the top of a selection set. */
function fieldNames(set: SelectionSetNode | undefined, type: unknown): Set<string> {
  const names = new Set<string>();
  for (const selection of set?.selections ?? []) {
    if (selection.kind === Kind.FIELD && selection.name.value !== '__typename') {
      names.add(selection.alias?.value ?? selection.name.value);
    }
    if (selection.kind !== Kind.INLINE_FRAGMENT) continue;
    const condition = selection.typeCondition?.name.value;
    if (type !== undefined && condition !== undefined && condition !== type) continue;
    for (const name of fieldNames(selection.selectionSet, type)) names.add(name);
  }
  return names;
}
