import { Worker } from 'node:worker_threads';
import { GraphQLError } from 'graphql';
import { plannerReplySchema } from './planner-protocol.ts';
import type { PlannerErrorReply, PlannerReply, PlannerRequest } from './planner-protocol.ts';

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

/** The thread ended while another request was being worked on: this one can be made again. */
export class PlannerInterrupted extends PlanningFailure {
  constructor(cause?: unknown) {
    super('lost', 'The planner thread ended.', cause);
  }
}

export interface PlannerLinkOptions {
  /** Bounds the memory of the thread; undefined: what V8 takes on this machine. */
  maxHeapMb: number | undefined;
  /** For one plan. */
  planDeadlineMs: number;
  onEnd: () => void;
}

/** One life of the planner's thread. */
export interface PlannerLink {
  /** @throws PlanningFailure, GraphQLError or Error */
  ask(make: (request: number) => Asking): Promise<PlannerReply>;
  tell(message: PlannerRequest): void;
  end(): Promise<void>;
}

type Asking = Exclude<PlannerRequest, { kind: 'unload' }>;

interface Waiting {
  kind: Asking['kind'];
  resolve: (reply: PlannerReply) => void;
  reject: (error: Error) => void;
}

/** V8 takes up to 48 for short-lived objects and gives nothing back; supergraphs load as fast with this. */
const YOUNG_MB = 8;

/**
 * Starts the thread. It works on one request after the other: when it ends, and when a plan takes too long
 * and it is ended, that is the first one's doing, and the others have only been interrupted.
 */
export function startPlannerLink({ maxHeapMb, planDeadlineMs, onEnd }: PlannerLinkOptions): PlannerLink {
  const worker = new Worker(new URL('./planner-worker.ts', import.meta.url), {
    name: 'planner',
    resourceLimits: {
      maxYoungGenerationSizeMb: YOUNG_MB,
      ...(maxHeapMb === undefined ? {} : { maxOldGenerationSizeMb: maxHeapMb }),
    },
  });
  const waiting = new Map<number, Waiting>();
  let nextRequest = 1;
  let ended = false;
  let deadline: NodeJS.Timeout | undefined;

  function fail(reason: PlanningFailure): void {
    if (ended) return;
    ended = true;
    clearTimeout(deadline);
    onEnd();
    const [culprit, ...others] = waiting.values();
    waiting.clear();
    culprit?.reject(reason);
    for (const { reject } of others) reject(new PlannerInterrupted(reason));
  }

  function giveUp(reason: PlanningFailure): void {
    fail(reason);
    void worker.terminate();
  }

  /** The first one is worked on from now on. */
  function watchFirst(): void {
    clearTimeout(deadline);
    const [first] = waiting.values();
    if (first?.kind !== 'plan') return;
    const late = new PlanningFailure('limit', `it takes longer than ${planDeadlineMs} ms`);
    deadline = setTimeout(() => giveUp(late), planDeadlineMs);
  }

  worker.on('message', (message: unknown) => {
    const parsed = plannerReplySchema.safeParse(message);
    if (!parsed.success) {
      giveUp(lost(parsed.error));
      return;
    }
    const reply = parsed.data;
    const asked = waiting.get(reply.request);
    waiting.delete(reply.request);
    if (waiting.size === 0) worker.unref();
    watchFirst();
    if (reply.kind === 'failed') asked?.reject(toError(reply.error));
    else asked?.resolve(reply);
  });
  worker.on('error', (error) => fail(lost(error)));
  worker.on('exit', () => fail(lost()));
  worker.unref();

  return {
    ask(make) {
      if (ended) return Promise.reject(new PlannerInterrupted());
      return new Promise((resolve, reject) => {
        const message = make(nextRequest++);
        // A process must not end while somebody waits for the thread, and need not stay because of an idle one.
        if (waiting.size === 0) worker.ref();
        waiting.set(message.request, { kind: message.kind, resolve, reject });
        if (waiting.size === 1) watchFirst();
        worker.postMessage(message, []);
      });
    },
    tell: (message) => worker.postMessage(message, []),
    async end() {
      await worker.terminate();
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
