import type { Logger } from '@timbre/platform/logger';
import type { Engine, SupergraphEngine } from './engine.ts';
import type { RouterMetrics } from './metrics.ts';
import type { HotOperation, HotOperations } from './operations/hot-operations.ts';
import type { DocumentRequest, OperationRequest, Prepare, PreparedOperation } from './operations/prepare-operation.ts';
import { refusal } from './operations/refusal.ts';
import type { OperationRefused } from './operations/refusal.ts';
import { createOpenSubscriptions } from './subscriptions/open-subscriptions.ts';
import type { Destination } from './subscriptions/open-subscriptions.ts';
import type { LoadedSupergraph } from './supergraph/load-supergraph.ts';
import { supergraphId } from './supergraph/planner-thread.ts';
import { watchStream } from './subscriptions/watch-stream.ts';

/** What runs the operations of one supergraph. */
export interface Generation {
  supergraph: LoadedSupergraph;
  prepare: Prepare;
  engine: SupergraphEngine;
}

export interface ReloadingEngineOptions {
  /** Loads a supergraph and checks it. @throws Error with what is wrong with it */
  build: (sdl: string) => Promise<Generation>;
  hot: HotOperations;
  log: Logger;
  metrics: RouterMetrics;
}

/** An engine whose supergraph can be replaced while it runs. */
export interface ReloadingEngine extends Engine {
  /**
   * Puts another supergraph in the place of the present one: loaded and warmed first, then at once. What runs
   * ends on the one that it began on. The same SDL changes nothing.
   *
   * @throws GraphQLError or Error where it cannot be served: the present one stays
   */
  reload(sdl: string): Promise<void>;
  /** The same with the present supergraph, for when it is to be built otherwise. */
  rebuild(): Promise<void>;
}

interface Running extends Generation, Destination {
  sdl: string;
  /** Preparations, executions and streams that have not ended. */
  active: number;
  retired: boolean;
}

/** Where a prepared operation comes from. It goes with it: a map of them would have to forget one with each request. */
class Origin {
  readonly generation: Running;
  readonly request: DocumentRequest;

  constructor(generation: Running, request: DocumentRequest) {
    this.generation = generation;
    this.request = request;
  }
}

const WARM_OPERATIONS = 100;
const WARM_BUDGET_MS = 10_000;
/** What has been prepared is executed a moment later, and not counted in between. */
const LINGER_MS = 1_000;

export async function createReloadingEngine(sdl: string, options: ReloadingEngineOptions): Promise<ReloadingEngine> {
  const { build, hot, log, metrics } = options;
  const generations = new Set<Running>();
  const subscriptions = createOpenSubscriptions({ log, metrics });
  let current = await begin(sdl);
  let reloading = Promise.resolve();
  announce();

  async function begin(text: string): Promise<Running> {
    const generation: Running = {
      ...(await build(text)),
      sdl: text,
      active: 0,
      retired: false,
      hold() {
        generation.active += 1;
        metrics.active(1);
        return () => {
          generation.active -= 1;
          metrics.active(-1);
          if (generation.retired && generation.active === 0) endSoon(generation);
        };
      },
    };
    generations.add(generation);
    await warm(generation, hot.busiest(WARM_OPERATIONS));
    return generation;
  }

  function announce(): void {
    metrics.supergraph.reset();
    metrics.supergraph.set({ id: current.supergraph.id.slice(0, 12) }, 1);
  }

  function endSoon(generation: Running): void {
    setTimeout(() => {
      if (generation.active === 0) void end(generation);
    }, LINGER_MS).unref();
  }

  async function end(generation: Running): Promise<void> {
    if (!generations.delete(generation)) return;
    const { id } = generation.supergraph;
    await generation.engine
      .close()
      .catch((error: unknown) => log.warn({ err: error, id }, 'a supergraph did not end well'));
  }

  async function swap(text: string): Promise<void> {
    let next: Running;
    try {
      next = await begin(text);
    } catch (error) {
      metrics.reloads.inc({ outcome: 'refused' });
      log.error({ err: error }, 'the new supergraph cannot be served: the present one stays');
      throw error;
    }
    const previous = current;
    current = next;
    previous.retired = true;
    if (previous.active === 0) endSoon(previous);
    metrics.reloads.inc({ outcome: 'swapped' });
    announce();
    log.info({ id: next.supergraph.id, from: previous.supergraph.id }, 'a new supergraph is served');
  }

  async function swapIfChanged(text: string): Promise<void> {
    if (supergraphId(text) !== current.supergraph.id) return swap(text);
    metrics.reloads.inc({ outcome: 'unchanged' });
  }

  function afterOthers(change: () => Promise<void>): Promise<void> {
    const changed = reloading.then(change);
    reloading = changed.then(() => subscriptions.moveTo(current)).catch(() => undefined);
    return changed;
  }

  function originOf({ origin }: PreparedOperation): Origin {
    if (!(origin instanceof Origin)) throw new Error('The operation was prepared by another engine.');
    return origin;
  }

  return {
    async prepare({ query, operationName, variables, extensions }, session) {
      if (query === undefined) throw noDocument(extensions);
      const request = { query, operationName, variables };
      const generation = current;
      const leave = generation.hold();
      try {
        const prepared = await generation.engine.prepare(request, session);
        prepared.origin = new Origin(generation, request);
        // The same for everybody who may see the same: its identity saves a look at the texts.
        hot.count(prepared.executable, () => ({
          query: request.query,
          operationName: request.operationName ?? null,
          incremental: session.incremental ?? false,
          access: prepared.access,
        }));
        return prepared;
      } finally {
        leave();
      }
    },
    async execute(prepared, session) {
      const { generation } = originOf(prepared);
      const leave = generation.hold();
      let goesOn = false;
      try {
        const outcome = await generation.engine.execute(prepared, session);
        if (outcome.incremental === undefined) return outcome;
        goesOn = true;
        return { ...outcome, incremental: watchStream(outcome.incremental, { onEnd: leave }) };
      } finally {
        if (!goesOn) leave();
      }
    },
    subscribe(prepared, session) {
      const { generation, request } = originOf(prepared);
      const leave = generation.hold();
      let subscription: ReturnType<SupergraphEngine['subscribe']>;
      try {
        subscription = generation.engine.subscribe(prepared, session, leave);
      } catch (error) {
        leave();
        throw error;
      }
      if (subscription instanceof Promise) return subscription;
      // Of very many subscriptions with one text, the one text that was parsed is enough.
      const query = prepared.operation.loc?.source.body ?? request.query;
      const ended = subscriptions.add({ request: { ...request, query }, session, subscription, on: generation });
      // The supergraph was replaced between preparation and now.
      if (generation !== current) reloading = reloading.then(() => subscriptions.moveTo(current));
      return watchStream(subscription, { onEnd: ended });
    },
    reload: (text) => afterOthers(() => swapIfChanged(text)),
    rebuild: () => afterOthers(() => swap(current.sdl)),
    async close() {
      await reloading;
      await Promise.all([...generations].map(end));
    },
  };
}

function noDocument(extensions: OperationRequest['extensions']): OperationRefused {
  return extensions?.['persistedQuery'] === undefined
    ? refusal('BAD_REQUEST', '"query" is missing.', {}, { status: 400 })
    : refusal('PERSISTED_QUERY_NOT_SUPPORTED', 'PersistedQueryNotSupported');
}

/** One after the other: between two of them the planner has time for those who wait. */
async function warm({ prepare }: Generation, operations: readonly HotOperation[]): Promise<void> {
  const until = Date.now() + WARM_BUDGET_MS;
  for (const { access, incremental, ...request } of operations) {
    if (Date.now() > until) return;
    // What was busy on another supergraph need not be valid on this one.
    await (async () => prepare.warm(request, { access, incremental }))().catch(() => undefined);
  }
}
