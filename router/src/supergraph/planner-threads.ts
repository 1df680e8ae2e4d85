import { createPlannerThread, supergraphId } from './planner-thread.ts';
import type { PlannerThread, PlannerThreadOptions } from './planner-thread.ts';

export interface PlannerThreadsOptions extends PlannerThreadOptions {
  /** A thread that was at one supergraph for longer loads no other beside it; default 1 s. */
  heavyLoadMs?: number;
}

interface Home {
  thread: PlannerThread;
  /** How often each of its supergraphs is loaded. */
  users: Map<string, number>;
  heavy: boolean;
}

const HEAVY_LOAD_MS = 1_000;

/**
 * One thread, as long as supergraphs load in a moment. Where one takes its time, the next is loaded in a thread of its
 * own, so that operations can be planned on the present one meanwhile; the thread that has none left ends.
 */
export function createPlannerThreads(options: PlannerThreadsOptions = {}): PlannerThread {
  const { heavyLoadMs = HEAVY_LOAD_MS, ...threadOptions } = options;
  const homes = new Set<Home>();

  function homeFor(id: string): Home {
    const all = [...homes];
    const found = all.find(({ users }) => users.has(id)) ?? all.find(({ heavy }) => !heavy);
    if (found !== undefined) return found;
    const home: Home = { thread: createPlannerThread(threadOptions), users: new Map(), heavy: false };
    homes.add(home);
    return home;
  }

  function leave(home: Home, id: string): void {
    const left = (home.users.get(id) ?? 0) - 1;
    if (left > 0) home.users.set(id, left);
    else home.users.delete(id);
    if (home.users.size > 0 || !home.heavy) return;
    homes.delete(home);
    void home.thread.close();
  }

  return {
    async load(sdl) {
      const id = supergraphId(sdl);
      const home = homeFor(id);
      home.users.set(id, (home.users.get(id) ?? 0) + 1);
      try {
        const loaded = await home.thread.load(sdl);
        home.heavy ||= loaded.loadMs > heavyLoadMs;
        let unloaded = false;
        const unload = () => {
          loaded.unload();
          if (!unloaded) leave(home, id);
          unloaded = true;
        };
        return { ...loaded, unload };
      } catch (error) {
        leave(home, id);
        throw error;
      }
    },
    loaded: async () => (await Promise.all([...homes].map(({ thread }) => thread.loaded()))).flat(),
    async close() {
      await Promise.all([...homes].map(({ thread }) => thread.close()));
    },
  };
}

let shared: PlannerThread | null = null;

/** Those that all routers of the process share. Nothing runs before they are asked for something. */
export function plannerThreads(): PlannerThread {
  shared ??= createPlannerThreads();
  return shared;
}
