import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

import { AppError } from '@timbre/platform/errors';
import type { Logger } from '@timbre/platform/logger';

import type { EngineReply, EngineRequest } from './messages.ts';

/** A request without its number. */
export type EngineTask = EngineRequest extends infer R ? (R extends EngineRequest ? Omit<R, 'id'> : never) : never;

export interface SubmitOptions {
  /** Longest silence of the process while it works on this, ms; then it is killed. */
  limitMs: number;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: number) => void) | undefined;
  /** Whether an abort ends the process's work too, by killing it; otherwise the work is left to finish unheard. */
  killOnAbort?: boolean;
}

export interface PoolOptions {
  entry: URL;
  processes: number;
  log: Logger;
}

interface Job extends SubmitOptions {
  task: EngineTask;
  resolve: (reply: EngineReply) => void;
  reject: (error: unknown) => void;
  done: boolean;
  forget: () => void;
}

interface Slot {
  child: ChildProcess | null;
  ready: boolean;
  job: Job | null;
  jobId: number;
  watchdog: NodeJS.Timeout | null;
  failedStarts: number;
  restart: NodeJS.Timeout | null;
}

/** After so many failed starts in a row the engine counts as unavailable, though it keeps trying. */
const HOPELESS_STARTS = 3;
const LONGEST_BACKOFF_MS = 30_000;
const START_LIMIT_MS = 20_000;
const CLOSE_LIMIT_MS = 2_000;

/**
 * Runs requests in child processes, one at a time in each, first come first served. A child that dies is started again; the
 * request that it worked on fails as retryable, those that wait go on.
 */
export class ProcessPool {
  readonly #options: PoolOptions;
  readonly #slots: Slot[];
  readonly #queue: Job[] = [];
  readonly #ready = Promise.withResolvers<Extract<EngineReply, { kind: 'ready' }>>();
  #nextId = 1;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.processes }, () => ({
      child: null,
      ready: false,
      job: null,
      jobId: 0,
      watchdog: null,
      failedStarts: 0,
      restart: null,
    }));
    // Nobody may be waiting for it.
    this.#ready.promise.catch(() => undefined);
    for (const slot of this.#slots) this.#start(slot);
  }

  /** What the first process said when it was ready; rejects where none can be started. */
  ready(): Promise<Extract<EngineReply, { kind: 'ready' }>> {
    return this.#ready.promise;
  }

  available(): boolean {
    return !this.#closed && this.#slots.some((slot) => slot.failedStarts < HOPELESS_STARTS);
  }

  /** Process ids, for operators and tests. */
  pids(): number[] {
    return this.#slots.flatMap((slot) => slot.child?.pid ?? []);
  }

  submit(task: EngineTask, options: SubmitOptions): Promise<EngineReply> {
    return new Promise((resolve, reject) => {
      if (options.signal?.aborted === true) {
        reject(options.signal.reason);
        return;
      }
      if (!this.available()) {
        reject(unavailable('The speech engine is not running.'));
        return;
      }
      const job: Job = { ...options, task, resolve, reject, done: false, forget: () => undefined };
      if (options.signal) {
        const { signal } = options;
        const onAbort = (): void => this.#abort(job, signal.reason);
        signal.addEventListener('abort', onAbort, { once: true });
        job.forget = () => signal.removeEventListener('abort', onAbort);
      }
      this.#queue.push(job);
      // Whoever waits for a child that is being started keeps this process alive for it.
      for (const slot of this.#slots) if (!slot.ready) this.#hold(slot);
      this.#dispatch();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#ready.reject(unavailable('The speech engine is closed.'));
    for (const job of this.#queue.splice(0)) this.#fail(job, unavailable('The speech engine is closed.'));
    await Promise.all(
      this.#slots.map(async (slot) => {
        if (slot.restart) clearTimeout(slot.restart);
        const { child } = slot;
        if (!child) return;
        // Not `once` of node:events, which an 'error' rejects: closing the channel twice is one.
        const exited = new Promise((resolve) => child.once('exit', resolve));
        const kill = setTimeout(() => child.kill('SIGKILL'), slot.job ? 0 : CLOSE_LIMIT_MS);
        child.ref();
        if (child.connected) child.disconnect();
        await exited;
        clearTimeout(kill);
      }),
    );
  }

  #start(slot: Slot): void {
    // Nothing of this process's environment (secrets among it) is the child's business.
    const child = fork(this.#options.entry, {
      serialization: 'advanced',
      execArgv: [],
      env: {},
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    slot.child = child;
    slot.ready = false;
    slot.watchdog = setTimeout(() => child.kill('SIGKILL'), START_LIMIT_MS);
    slot.watchdog.unref();
    child.stderr
      ?.setEncoding('utf8')
      .on('data', (text: string) => this.#options.log.warn({ output: text.trim() }, 'speech engine process'));
    child.on('message', (message: EngineReply) => this.#onReply(slot, message));
    child.on('error', (error) => this.#options.log.error({ err: error }, 'speech engine process'));
    child.once('exit', (code, signal) => this.#onExit(slot, code, signal));
    // The first start is waited for; a later one only where requests are.
    if (this.#nextId > 1 && this.#queue.length === 0) this.#rest(slot);
  }

  #onReply(slot: Slot, message: EngineReply): void {
    if (message.kind === 'ready') {
      slot.ready = true;
      slot.failedStarts = 0;
      this.#release(slot);
      this.#ready.resolve(message);
      this.#dispatch();
      return;
    }
    const { job } = slot;
    if (!job || message.id !== slot.jobId) return;
    if (message.kind === 'progress') {
      this.#watch(slot, job);
      if (!job.done) job.onProgress?.(message.progress);
      return;
    }
    this.#release(slot);
    if (!job.done) {
      job.done = true;
      job.forget();
      job.resolve(message);
    }
    this.#dispatch();
  }

  #onExit(slot: Slot, code: number | null, signal: NodeJS.Signals | null): void {
    const { job, ready } = slot;
    this.#release(slot);
    slot.child = null;
    slot.ready = false;
    if (job) this.#fail(job, unavailable('The speech engine stopped while it worked on this request.'));
    if (this.#closed) return;
    if (!ready) slot.failedStarts++;
    this.#options.log.warn(
      { code, signal, failedStarts: slot.failedStarts },
      'speech engine process ended, starting it again',
    );
    if (!this.available()) {
      this.#ready.reject(unavailable('The speech engine cannot be started.'));
      for (const waiting of this.#queue.splice(0))
        this.#fail(waiting, unavailable('The speech engine cannot be started.'));
    }
    const delay = slot.failedStarts === 0 ? 0 : Math.min(LONGEST_BACKOFF_MS, 100 * 4 ** slot.failedStarts);
    slot.restart = setTimeout(() => this.#start(slot), delay);
    if (this.#queue.length === 0) slot.restart.unref();
  }

  #dispatch(): void {
    for (const slot of this.#slots) {
      if (!slot.ready || slot.job || !slot.child) continue;
      const job = this.#queue.shift();
      if (!job) return;
      slot.job = job;
      slot.jobId = this.#nextId++;
      this.#hold(slot);
      this.#watch(slot, job);
      slot.child.send({ ...job.task, id: slot.jobId }, (error) => {
        // The child's exit fails the request.
        if (error) slot.child?.kill('SIGKILL');
      });
    }
  }

  #watch(slot: Slot, job: Job): void {
    if (slot.watchdog) clearTimeout(slot.watchdog);
    slot.watchdog = setTimeout(() => {
      this.#options.log.error(
        { limitMs: job.limitMs, kind: job.task.kind },
        'speech engine process overran its time and is killed',
      );
      slot.child?.kill('SIGKILL');
    }, job.limitMs);
  }

  #abort(job: Job, reason: unknown): void {
    const waiting = this.#queue.indexOf(job);
    if (waiting >= 0) this.#queue.splice(waiting, 1);
    else if (job.killOnAbort === true) this.#slots.find((slot) => slot.job === job)?.child?.kill('SIGKILL');
    this.#fail(job, reason);
  }

  #fail(job: Job, error: unknown): void {
    if (job.done) return;
    job.done = true;
    job.forget();
    job.reject(error);
  }

  #release(slot: Slot): void {
    slot.job = null;
    if (slot.watchdog) clearTimeout(slot.watchdog);
    slot.watchdog = null;
    this.#rest(slot);
  }

  #hold(slot: Slot): void {
    slot.restart?.ref();
    slot.child?.ref();
    slot.child?.channel?.ref();
  }

  /** An idle child does not keep this process alive. */
  #rest(slot: Slot): void {
    slot.child?.unref();
    slot.child?.channel?.unref();
    const stderr: unknown = slot.child?.stderr;
    if (stderr && typeof stderr === 'object' && 'unref' in stderr && typeof stderr.unref === 'function') stderr.unref();
  }
}

function unavailable(message: string): AppError {
  return new AppError('ENGINE_UNAVAILABLE', message, { details: { retryable: true } });
}
