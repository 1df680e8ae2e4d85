import { hash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { GraphQLError } from 'graphql';
import { plannerReplySchema } from './planner-protocol.ts';
import type { PlannerErrorReply, PlannerReply, PlannerRequest, PlannerSupergraph } from './planner-protocol.ts';

/** The planner gave no plan. */
export class PlanningFailure extends Error {
  /**
   * `limit`: it gave up on the operation's size. `unsupported`: it does not plan operations of the kind.
   * `lost`: its thread ended, out of memory perhaps; another takes over.
   */
  readonly reason: 'limit' | 'unsupported' | 'lost';

  constructor(reason: PlanningFailure['reason'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'PlanningFailure';
    this.reason = reason;
  }
}

/** One supergraph in a {@link PlannerThread}. */
export interface ThreadedSupergraph extends PlannerSupergraph {
  /** The SHA-256 of its SDL, as hex. */
  id: string;
  /**
   * Plans a document of one operation.
   *
   * @returns the plan as JSON, fit for parseQueryPlan
   * @throws PlanningFailure, GraphQLError or Error
   */
  plan: (document: string) => Promise<string>;
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

interface Waiting {
  resolve: (reply: PlannerReply) => void;
  reject: (error: Error) => void;
}

interface Incarnation {
  worker: Worker;
  ended: boolean;
  waiting: Map<number, Waiting>;
  /** What this thread was asked to load; a thread that replaces another begins without. */
  loads: Map<string, Promise<PlannerSupergraph>>;
}

interface Known {
  sdl: string;
  users: number;
}

/** `maxHeapMb` bounds the memory of the thread; default what V8 takes on this machine. */
export function createPlannerThread({ maxHeapMb }: { maxHeapMb?: number } = {}): PlannerThread {
  const known = new Map<string, Known>();
  let current: Incarnation | null = null;
  let nextRequest = 1;

  function start(): Incarnation {
    const worker = new Worker(new URL('./planner-worker.ts', import.meta.url), {
      name: 'planner',
      ...(maxHeapMb === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: maxHeapMb } }),
    });
    const thread: Incarnation = { worker, ended: false, waiting: new Map(), loads: new Map() };
    const fail = (cause?: unknown) => {
      thread.ended = true;
      if (current === thread) current = null;
      const requests = [...thread.waiting.values()];
      thread.waiting.clear();
      for (const { reject } of requests) reject(lost(cause));
    };
    worker.on('message', (message: unknown) => {
      const parsed = plannerReplySchema.safeParse(message);
      if (!parsed.success) {
        fail(parsed.error);
        void worker.terminate();
        return;
      }
      const reply = parsed.data;
      const waiting = thread.waiting.get(reply.request);
      thread.waiting.delete(reply.request);
      if (thread.waiting.size === 0) worker.unref();
      if (reply.kind === 'failed') waiting?.reject(toError(reply.error));
      else waiting?.resolve(reply);
    });
    worker.on('error', fail);
    worker.on('exit', () => fail());
    worker.unref();
    return thread;
  }

  function ask(thread: Incarnation, message: (request: number) => PlannerRequest): Promise<PlannerReply> {
    if (thread.ended) return Promise.reject(lost());
    return new Promise((resolve, reject) => {
      const request = nextRequest++;
      // A process must not end while somebody waits for the thread, and need not stay because of an idle one.
      if (thread.waiting.size === 0) thread.worker.ref();
      thread.waiting.set(request, { resolve, reject });
      thread.worker.postMessage(message(request), []);
    });
  }

  function loadIn(thread: Incarnation, id: string, sdl: string): Promise<PlannerSupergraph> {
    let load = thread.loads.get(id);
    if (load === undefined) {
      load = ask(thread, (request) => ({ kind: 'load', request, supergraph: id, sdl })).then((reply) => {
        if (reply.kind !== 'loaded') throw new Error(`The planner thread answered a load with "${reply.kind}".`);
        return reply.supergraph;
      });
      thread.loads.set(id, load);
    }
    return load;
  }

  async function plan(id: string, document: string): Promise<string> {
    const supergraph = known.get(id);
    if (supergraph === undefined) throw new Error('The supergraph has been unloaded.');
    const thread = (current ??= start());
    await loadIn(thread, id, supergraph.sdl);
    const reply = await ask(thread, (request) => ({ kind: 'plan', request, supergraph: id, document }));
    if (reply.kind !== 'planned') throw new Error(`The planner thread answered a plan with "${reply.kind}".`);
    return reply.plan;
  }

  function release(id: string): void {
    const supergraph = known.get(id);
    if (supergraph === undefined) return;
    supergraph.users -= 1;
    if (supergraph.users > 0) return;
    known.delete(id);
    if (current?.loads.delete(id) !== true) return;
    const message: PlannerRequest = { kind: 'unload', supergraph: id };
    current.worker.postMessage(message, []);
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
        const loaded = await loadIn((current ??= start()), id, sdl);
        return { ...loaded, id, plan: (document) => plan(id, document), unload };
      } catch (error) {
        unload();
        throw error;
      }
    },
    async loaded() {
      if (current === null) return [];
      const reply = await ask(current, (request) => ({ kind: 'list', request }));
      return reply.kind === 'listed' ? reply.supergraphs : [];
    },
    async close() {
      await current?.worker.terminate();
    },
  };
}

function lost(cause?: unknown): PlanningFailure {
  return new PlanningFailure('lost', 'The planner thread ended.', cause);
}

function toError({ kind, message, code, stack }: PlannerErrorReply): Error {
  if (kind === 'limit' || kind === 'unsupported') return new PlanningFailure(kind, message);
  const error =
    kind === 'graphql'
      ? new GraphQLError(message, { extensions: code === undefined ? {} : { code } })
      : new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** The SHA-256 of an SDL, as hex. */
export function supergraphId(sdl: string): string {
  return hash('sha256', sdl);
}

let shared: PlannerThread | null = null;

/** The one that all routers of the process share. Nothing runs before it is asked for something. */
export function plannerThread(): PlannerThread {
  shared ??= createPlannerThread();
  return shared;
}
