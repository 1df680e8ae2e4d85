import { SubgraphFailure } from '../subgraphs/subgraph-transport.ts';
import type { SubgraphResponse } from '../subgraphs/subgraph-transport.ts';
import type { FetchStep } from './compile-plan.ts';
import { copyData, copyValue, isData, isList } from './data.ts';
import type { Data } from './data.ts';
import { recordErrors, recordFailure } from './fetch-errors.ts';
import { mergeData } from './merge-data.ts';
import { objectsAt, placesAt } from './places.ts';
import type { Representation } from './representation.ts';
import type { PlanRun } from './run-plan.ts';

/** Entities to be asked for in one request, each once. */
export interface EntityBatch {
  representations: Data[];
  /** Every object at the fetch's path, in order. */
  objects: readonly Data[];
  /** For each of these objects: the index of its representation; -1 where it has none. */
  owners: number[];
}

/** Runs a fetch and merges what it brings into the response. */
export async function runFetch(step: FetchStep, run: PlanRun): Promise<void> {
  try {
    if (step.representations === null) await fetchRoot(step, run);
    else if (step.context === null)
      await fetchEntities(step, run, {}, batchOf(step, run, objectsAt(run.data, step.path)));
    else await fetchInContexts(step, run);
  } finally {
    if (step.id !== undefined) run.onFetched(step.id);
  }
}

async function fetchRoot(step: FetchStep, run: PlanRun): Promise<void> {
  const targets = objectsAt(run.data, step.path);
  if (targets.length === 0) return;
  const response = await call(step, run, variablesOf(step, run), null);
  if (response?.data === null || response?.data === undefined) {
    for (const target of targets) run.unanswered.add(target);
    return;
  }
  const data = isToBeCopied(step, response) ? copyData(response.data) : response.data;
  step.rewriteOutput?.(data);
  for (const target of targets) mergeData(target, data, step.possibleTypes);
}

async function fetchEntities(step: FetchStep, run: PlanRun, context: Data, batch: EntityBatch): Promise<void> {
  const { representations, objects, owners } = batch;
  if (representations.length === 0) return;
  const response = await call(step, run, { ...variablesOf(step, run), ...context, representations }, batch);
  const answered = response?.data?.['_entities'];
  if (response === null || response.data === null || response.data === undefined) {
    noteUnanswered(run, batch);
    return;
  }
  if (!isList(answered) || answered.length !== representations.length) {
    const count = isList(answered) ? answered.length : 'no';
    const what = `answered with ${count} entities where ${representations.length} were asked for`;
    recordFailure(step, run, batch, new SubgraphFailure(step.operation.subgraph, 'SUBGRAPH_UNAVAILABLE', what));
    noteUnanswered(run, batch);
    return;
  }
  const entities = isToBeCopied(step, response) ? answered.map(copyValue) : answered;
  if (step.rewriteOutput !== null) for (const entity of entities) step.rewriteOutput(entity);
  for (let index = 0; index < objects.length; index += 1) {
    const object = objects[index];
    const owner = owners[index] ?? -1;
    if (object === undefined || owner < 0) continue;
    const entity = entities[owner];
    if (isData(entity)) mergeData(object, entity, step.possibleTypes);
    else run.unanswered.add(object);
  }
}

/** What others get, too, is as it was when this operation has ended. */
function isToBeCopied(step: FetchStep, { isShared }: SubgraphResponse): boolean {
  return isShared === true && step.isAddedTo();
}

function noteUnanswered({ unanswered }: PlanRun, { objects, owners }: EntityBatch): void {
  for (const [index, object] of objects.entries()) if ((owners[index] ?? -1) >= 0) unanswered.add(object);
}

/** Entities whose arguments come from around them are asked for together where the arguments are the same. */
async function fetchInContexts(step: FetchStep, run: PlanRun): Promise<void> {
  const places = placesAt(run.data, step.path);
  const groups = new Map<string, { context: Data; members: Set<Data> }>();
  for (const place of places) {
    const context = step.context?.(place) ?? {};
    const key = JSON.stringify(context);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { context, members: new Set([place.object]) });
    else group.members.add(place.object);
  }
  const objects = places.map(({ object }) => object);
  await Promise.all(
    [...groups.values()].map(({ context, members }) =>
      fetchEntities(
        step,
        run,
        context,
        batchOf(step, run, objects, (object) => members.has(object)),
      ),
    ),
  );
}

function batchOf(
  step: FetchStep,
  { unanswered }: PlanRun,
  objects: readonly Data[],
  isMember?: (object: Data) => boolean,
): EntityBatch {
  const representations: Data[] = [];
  const known = new Map<Representation, Map<unknown, number>>();
  const owners = objects.map((object) => {
    const type = object['__typename'];
    if (step.representations === null || typeof type !== 'string' || isMember?.(object) === false) return -1;
    const kind = step.representations(type);
    let indexes = known.get(kind);
    if (indexes === undefined) {
      indexes = new Map();
      known.set(kind, indexes);
    }
    const identifier = kind.identifier === null ? null : object[kind.identifier];
    const isId = typeof identifier === 'string' || typeof identifier === 'number';
    const same = isId ? indexes.get(identifier) : undefined;
    if (same !== undefined) return same;

    const representation = kind.of(object, unanswered);
    if (representation === null) return -1;
    step.rewriteInput?.(representation);
    if (!step.holdsKey(representation)) return -1;
    // What is more than an id is told apart by all that there is to it.
    const key = isId ? identifier : JSON.stringify(representation);
    let index = indexes.get(key);
    if (index === undefined) {
      index = representations.push(representation) - 1;
      indexes.set(key, index);
    }
    return index;
  });
  return { representations, objects, owners };
}

function variablesOf({ variables: names }: FetchStep, { variables }: PlanRun): Data {
  const used: Data = {};
  for (const name of names) {
    if (Object.hasOwn(variables, name) && variables[name] !== undefined) used[name] = variables[name];
  }
  return used;
}

/** Null where the subgraph did not answer: that is among the errors then. */
async function call(
  step: FetchStep,
  run: PlanRun,
  variables: Data,
  batch: EntityBatch | null,
): Promise<SubgraphResponse | null> {
  try {
    checkPrice(step, run);
    const response = await run.call({ operation: step.operation, variables });
    run.cost?.fetched(step.operation, response.data);
    if (response.errors !== undefined) recordErrors(step, run, batch, response);
    return response;
  } catch (error) {
    if (!(error instanceof SubgraphFailure)) throw error;
    recordFailure(step, run, batch, error);
    return null;
  }
}

function checkPrice({ operation: { subgraph } }: FetchStep, { overpriced }: PlanRun): void {
  if (overpriced === null || !overpriced.has(subgraph)) return;
  throw new SubgraphFailure(subgraph, 'SUBGRAPH_COST_ESTIMATED_TOO_EXPENSIVE', 'is asked for more than it may cost');
}
