import { hash } from 'node:crypto';
import { PlannerInterrupted, startPlannerLink } from './planner-link.ts';
import type { PlannerLink } from './planner-link.ts';
import type { PlannerSupergraph } from './planner-protocol.ts';

/** One supergraph in a {@link PlannerThread}. */
export interface ThreadedSupergraph extends PlannerSupergraph {
  /** The SHA-256 of its SDL, as hex. */
  id: string;
  /**
   * Plans a document of one operation; `overrides` are the labels of the progressive `@override`s that hold.
   *
   * @returns the plan as JSON, fit for parseQueryPlan
   * @throws PlanningFailure, GraphQLError or Error
   */
  plan: (document: string, overrides?: readonly string[]) => Promise<string>;
  /** Frees it in the thread, once everybody who loaded the same SDL has unloaded it. */
  unload: () => void;
}

/** Apollo's parts in a thread of their own: neither their work nor their memory is the event loop's. */
export interface PlannerThread {
  /** @throws GraphQLError or Error on a text that is no supergraph that can be served, PlanningFailure `lost` */
  load(sdl: string): Promise<ThreadedSupergraph>;
  /** Ids of what the thread holds. */
  loaded(): Promise<string[]>;
  /** Ends the thread; the next request starts another. */
  close(): Promise<void>;
}

interface Incarnation {
  link: PlannerLink;
  /** What this thread was asked to load; a thread that replaces another begins without. */
  loads: Map<string, Promise<PlannerSupergraph>>;
}

interface Known {
  sdl: string;
  users: number;
}

export interface PlannerThreadOptions {
  /** Bounds the memory of the thread; default what V8 takes on this machine. */
  maxHeapMb?: number;
  /** For one plan; default 15 s. The thread is ended then, and another one takes its place. */
  planDeadlineMs?: number;
}

const PLAN_DEADLINE_MS = 15_000;
/** Of a request that others interrupt. */
const ATTEMPTS = 3;

/** One thread for all the supergraphs that are loaded here. Nothing runs before it is asked for something. */
export function createPlannerThread(options: PlannerThreadOptions = {}): PlannerThread {
  const { maxHeapMb, planDeadlineMs = PLAN_DEADLINE_MS } = options;
  const known = new Map<string, Known>();
  let current: Incarnation | null = null;

  function running(): Incarnation {
    if (current !== null) return current;
    const onEnd = () => {
      if (current === thread) current = null;
    };
    const thread: Incarnation = { link: startPlannerLink({ maxHeapMb, planDeadlineMs, onEnd }), loads: new Map() };
    current = thread;
    return thread;
  }

  function loadIn({ link, loads }: Incarnation, id: string, sdl: string): Promise<PlannerSupergraph> {
    let load = loads.get(id);
    if (load === undefined) {
      load = link
        .ask((request) => ({ kind: 'load', request, supergraph: id, sdl }))
        .then((reply) => {
          if (reply.kind !== 'loaded') throw new Error(`The planner thread answered a load with "${reply.kind}".`);
          return reply.supergraph;
        });
      loads.set(id, load);
    }
    return load;
  }

  async function plan(id: string, document: string, overrides: readonly string[]): Promise<string> {
    const supergraph = known.get(id);
    if (supergraph === undefined) throw new Error('The supergraph has been unloaded.');
    const thread = running();
    await loadIn(thread, id, supergraph.sdl);
    const reply = await thread.link.ask((request) => ({ kind: 'plan', request, supergraph: id, document, overrides }));
    if (reply.kind !== 'planned') throw new Error(`The planner thread answered a plan with "${reply.kind}".`);
    return reply.plan;
  }

  function release(id: string): void {
    const supergraph = known.get(id);
    if (supergraph === undefined) return;
    supergraph.users -= 1;
    if (supergraph.users > 0) return;
    known.delete(id);
    if (current?.loads.delete(id) === true) current.link.tell({ kind: 'unload', supergraph: id });
  }

  return {
    async load(sdl) {
      const id = supergraphId(sdl);
      const supergraph = known.get(id) ?? { sdl, users: 0 };
      known.set(id, supergraph);
      supergraph.users += 1;
      let unloaded = false;
      const unload = () => {
        if (!unloaded) release(id);
        unloaded = true;
      };
      try {
        const loaded = await undisturbed(() => loadIn(running(), id, sdl));
        return {
          ...loaded,
          id,
          plan: (document, overrides = []) => undisturbed(() => plan(id, document, overrides)),
          unload,
        };
      } catch (error) {
        unload();
        throw error;
      }
    },
    async loaded() {
      if (current === null) return [];
      const reply = await current.link.ask((request) => ({ kind: 'list', request }));
      return reply.kind === 'listed' ? reply.supergraphs : [];
    },
    async close() {
      await current?.link.end();
    },
  };
}

/** Again, where it was another request that ended the thread. */
async function undisturbed<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof PlannerInterrupted) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** The SHA-256 of an SDL, as hex. */
export function supergraphId(sdl: string): string {
  return hash('sha256', sdl);
}
