import type { GraphQLError, GraphQLFormattedError } from 'graphql';
import { createEventQueue } from '../subscriptions/event-queue.ts';
import { clientErrors } from './client-errors.ts';
import type { ClientErrors } from './client-errors.ts';
import type { CompletionError } from './complete-response.ts';
import { completeObject, startCompletion } from './complete-response.ts';
import type { DeferredPart, DeferStep } from './compile-plan.ts';
import { isData, isList } from './data.ts';
import type { Data } from './data.ts';
import type { Path } from './places.ts';
import type { DeferredShape, ObjectShape, ValueShape } from './response-shape.ts';
import { runPlan } from './run-plan.ts';
import type { PlanRun } from './run-plan.ts';

/** One deferred fragment of one object. */
export interface DeferredResult {
  data: Data | null;
  path: Path;
  label?: string;
  errors?: GraphQLError[];
  extensions?: ClientErrors['extensions'];
}

export interface IncrementalUpdate {
  incremental: readonly DeferredResult[];
  hasNext: boolean;
  extensions?: Readonly<Record<string, unknown>>;
}

/** Where deferred fragments may stand: an object that has been delivered. */
interface Delivered {
  shape: ObjectShape;
  /** What was fetched of it. */
  object: Data;
  /** What the client has of it. */
  result: Data;
  path: Path;
}

/** The deferred parts of one execution, from when its plan begins to run. */
export interface Deferral extends Pick<PlanRun, 'onDefer' | 'onFetched'> {
  /** What follows the first response, once that is made; null where nothing is deferred. */
  deliver(first: {
    run: PlanRun;
    shape: ObjectShape;
    delivered: Data | null;
  }): AsyncIterableIterator<IncrementalUpdate, undefined> | null;
}

export function createDeferral(): Deferral {
  const steps: DeferStep[] = [];
  const fetched = new Map<string, PromiseWithResolvers<void>>();
  const whenFetched = (id: string) => {
    let waiting = fetched.get(id);
    if (waiting === undefined) {
      waiting = Promise.withResolvers<void>();
      fetched.set(id, waiting);
    }
    return waiting;
  };

  return {
    onDefer: (step) => void steps.push(step),
    onFetched: (id) => whenFetched(id).resolve(),
    deliver({ run, shape, delivered }) {
      const parts = steps.flatMap((step) => step.deferred);
      if (parts.length === 0) return null;
      let left = parts.length;
      let canceled = false;
      const updates = createEventQueue<IncrementalUpdate>({
        capacity: Infinity,
        onDone: () => {
          canceled = true;
        },
      });

      const runPart = async (part: DeferredPart, around: readonly Delivered[]): Promise<void> => {
        await Promise.all(part.dependsOn.map((id) => whenFetched(id).promise));
        if (canceled) return;
        const inner: DeferStep[] = [];
        const partRun: PlanRun = { ...run, errors: [], onDefer: (step) => void inner.push(step) };
        await runPlan(part.step, partRun);
        const delivery = deliverPart(part, around, partRun, shape);
        const following = inner.flatMap((step) => step.deferred);
        left += following.length - 1;
        if (delivery.results.length > 0 || left === 0) {
          updates.push({ incremental: delivery.results, hasNext: left > 0 });
        }
        if (left === 0) updates.end();
        await Promise.all(following.map((each) => runPart(each, delivery.delivered)));
      };

      const root: Delivered[] = delivered === null ? [] : [{ shape, object: run.data, result: delivered, path: [] }];
      Promise.all(parts.map((part) => runPart(part, root))).catch((error: unknown) => {
        updates.fail(error instanceof Error ? error : new Error(String(error)));
      });
      return {
        next: () => updates.next(),
        return: () => updates.return(),
        [Symbol.asyncIterator]() {
          return this;
        },
      };
    },
  };
}

/** Completes a part on every object that it stands on, as far as the client has been given that object. */
function deliverPart(
  { label: planLabel }: DeferredPart,
  around: readonly Delivered[],
  run: PlanRun,
  root: ObjectShape,
): { results: DeferredResult[]; delivered: Delivered[] } {
  const results: DeferredResult[] = [];
  const delivered: Delivered[] = [];
  const wrong: CompletionError[] = [];
  for (const { deferred, object, path } of around.flatMap((each) => placesOf(planLabel, each))) {
    const completion = startCompletion(path);
    const data = completeObject(deferred.object, object, completion);
    run.cost?.completed(deferred.object, object);
    wrong.push(...completion.errors);
    results.push({ data, path, ...(deferred.label === undefined ? {} : { label: deferred.label }) });
    if (data !== null) delivered.push({ shape: deferred.object, object, result: data, path });
  }
  const placeOf = (error: Pick<GraphQLError, 'path'> | Pick<GraphQLFormattedError, 'path'>) =>
    results.find(({ path }) => path.every((step, index) => error.path?.[index] === step)) ?? results[0];
  const { errors = [], extensions: { authorizationErrors } = { authorizationErrors: [] } } = clientErrors(
    root,
    run,
    wrong,
  );
  for (const error of errors) {
    const place = placeOf(error);
    if (place !== undefined) place.errors = [...(place.errors ?? []), error];
  }
  for (const error of authorizationErrors) {
    const place = placeOf(error);
    if (place === undefined) continue;
    place.extensions = { authorizationErrors: [...(place.extensions?.authorizationErrors ?? []), error] };
  }
  return { results, delivered };
}

interface DeferredPlace {
  deferred: DeferredShape;
  object: Data;
  path: Path;
}

/** Every place of a deferred fragment in and below an object. What became null has no place below it. */
function placesOf(planLabel: string, { shape, object, result, path }: Delivered): DeferredPlace[] {
  const shaped = shape.fieldsOf(object['__typename']);
  if (shaped === null) return [];
  const here = shaped.deferred.filter((each) => each.planLabel === planLabel);
  const below = shaped.fields.flatMap(({ name, source, value }) =>
    placesIn(planLabel, value, { raw: object[source], completed: result[name], path: [...path, name] }),
  );
  return [...here.map((deferred) => ({ deferred, object, path })), ...below];
}

function placesIn(
  planLabel: string,
  shape: ValueShape,
  { raw, completed, path }: { raw: unknown; completed: unknown; path: Path },
): DeferredPlace[] {
  if (shape.kind === 'list' && isList(raw) && isList(completed)) {
    return completed.flatMap((item, index) =>
      placesIn(planLabel, shape.item, { raw: raw[index], completed: item, path: [...path, index] }),
    );
  }
  if (shape.kind !== 'object' || !isData(raw) || !isData(completed)) return [];
  return placesOf(planLabel, { shape: shape.object, object: raw, result: completed, path });
}
