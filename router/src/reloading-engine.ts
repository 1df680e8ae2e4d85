import type { Logger } from '@timbre/platform/logger';
import { accessKey, principalOfAccess } from './auth/access.ts';
import type { Engine } from './engine.ts';
import type { RouterMetrics } from './metrics.ts';
import type { HotOperation, HotOperations } from './operations/hot-operations.ts';
import type { Prepare, PreparedOperation } from './operations/prepare-operation.ts';
import type { LoadedSupergraph } from './supergraph/load-supergraph.ts';

/** What runs the operations of one supergraph. */
export interface Generation {
  supergraph: LoadedSupergraph;
  prepare: Prepare;
  engine: Engine;
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
}

interface Running extends Generation {
  /** Preparations, executions and streams that have not ended. */
  active: number;
  retired: boolean;
}

const WARM_OPERATIONS = 100;
const WARM_BUDGET_MS = 10_000;
/** What has been prepared is executed a moment later, and not counted in between. */
const LINGER_MS = 1_000;

export async function createReloadingEngine(sdl: string, options: ReloadingEngineOptions): Promise<ReloadingEngine> {
  const { build, hot, log, metrics } = options;
  const generations = new Set<Running>();
  const preparedOn = new WeakMap<PreparedOperation, Running>();
  let current = await begin(sdl);
  let reloading = Promise.resolve();
  announce();

  async function begin(text: string): Promise<Running> {
    const generation = { ...(await build(text)), active: 0, retired: false };
    generations.add(generation);
    await warm(generation, hot.busiest(WARM_OPERATIONS));
    return generation;
  }

  function announce(): void {
    metrics.supergraph.reset();
    metrics.supergraph.set({ id: current.supergraph.id.slice(0, 12) }, 1);
  }

  function leave(generation: Running): void {
    generation.active -= 1;
    if (generation.retired && generation.active === 0) endSoon(generation);
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
    if (next.supergraph.id === previous.supergraph.id) {
      metrics.reloads.inc({ outcome: 'unchanged' });
      return end(next);
    }
    current = next;
    previous.retired = true;
    if (previous.active === 0) endSoon(previous);
    metrics.reloads.inc({ outcome: 'swapped' });
    announce();
    log.info({ id: next.supergraph.id, from: previous.supergraph.id }, 'a new supergraph is served');
  }

  return {
    async prepare(request, session) {
      const generation = current;
      generation.active += 1;
      try {
        const prepared = await generation.engine.prepare(request, session);
        preparedOn.set(prepared, generation);
        // The same for everybody who may see the same: its identity saves a look at the texts.
        hot.count(prepared.executable, () => ({
          query: request.query,
          operationName: request.operationName ?? null,
          incremental: session.incremental ?? false,
          access: accessKey(session.principal, generation.supergraph.annotations),
        }));
        return prepared;
      } finally {
        leave(generation);
      }
    },
    async execute(prepared, session) {
      const generation = preparedOn.get(prepared) ?? current;
      generation.active += 1;
      let goesOn = false;
      try {
        const outcome = await generation.engine.execute(prepared, session);
        if (outcome.incremental === undefined) return outcome;
        goesOn = true;
        return { ...outcome, incremental: counted(outcome.incremental, () => leave(generation)) };
      } finally {
        if (!goesOn) leave(generation);
      }
    },
    subscribe(prepared, session) {
      const generation = preparedOn.get(prepared) ?? current;
      generation.active += 1;
      try {
        const stream = generation.engine.subscribe(prepared, session);
        if (stream instanceof Promise) return stream.finally(() => leave(generation));
        return counted(stream, () => leave(generation));
      } catch (error) {
        leave(generation);
        throw error;
      }
    },
    reload(text) {
      const done = reloading.then(() => swap(text));
      reloading = done.catch(() => undefined);
      return done;
    },
    async close() {
      await reloading;
      await Promise.all([...generations].map(end));
    },
  };
}

/** One after the other: between two of them the planner has time for those who wait. */
async function warm({ prepare }: Generation, operations: readonly HotOperation[]): Promise<void> {
  const until = Date.now() + WARM_BUDGET_MS;
  for (const { access, incremental, ...request } of operations) {
    if (Date.now() > until) return;
    // What was busy on another supergraph need not be valid on this one.
    await (async () => prepare.warm(request, { principal: principalOfAccess(access), incremental }))().catch(
      () => undefined,
    );
  }
}

/** The same stream, and a word when it has ended. */
function counted<T>(
  stream: AsyncIterableIterator<T, undefined>,
  onEnd: () => void,
): AsyncIterableIterator<T, undefined> {
  let open = true;
  const ended = () => {
    if (open) onEnd();
    open = false;
  };
  return {
    async next() {
      try {
        const result = await stream.next();
        if (result.done === true) ended();
        return result;
      } catch (error) {
        ended();
        throw error;
      }
    },
    async return() {
      ended();
      await stream.return?.();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
