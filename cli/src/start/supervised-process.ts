import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';

interface Events {
  /** A process was spawned, the first or a later one. */
  spawn: [pid: number];
  /** It ended without having been told to; the next one starts after `delayMs`. */
  crash: [cause: string, delayMs: number];
}

interface Options {
  entry: string;
  env: Record<string, string>;
  onLine: (line: string) => void;
}

/** Less memory and a quicker start for what uses drizzle-orm; see there. */
const QUICK_IMPORTS = new URL('../../../db/src/quick-imports.ts', import.meta.url).href;
/**
 * MiB of each half of V8's young generation, 16 otherwise: what a request needs is garbage before it is looked at, and nothing of it
 * is copied. A seventh less CPU time under load; idle processes do not take it.
 */
const YOUNG_GENERATION = '--max-semi-space-size=64';
const FIRST_DELAY_MS = 100;
const LAST_DELAY_MS = 10_000;
/** A process that ran this long is counted as having started well: the backoff begins anew. */
const STEADY_MS = 30_000;
const DRAIN_MS = 15_000;

/** One service, kept running: restarted with growing delays when it dies, drained when it is stopped. */
export class SupervisedProcess extends EventEmitter<Events> {
  readonly #options: Options;
  #child: ChildProcess | null = null;
  #timer: NodeJS.Timeout | null = null;
  #failures = 0;
  #stopping = false;

  constructor(options: Options) {
    super();
    this.#options = options;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  start(): void {
    const { entry, env, onLine } = this.#options;
    const startedAt = performance.now();
    // A process group of its own: Ctrl-C at the terminal reaches the supervisor alone, which then stops them in order.
    // The IPC channel closes when the supervisor is gone, whatever ended it, and tells the service to go, too.
    const child = spawn(process.execPath, [YOUNG_GENERATION, '--import', QUICK_IMPORTS, entry], {
      env,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', onLine);
    }
    const ended = (cause: string) => {
      this.#child = null;
      if (this.#stopping) return;
      if (performance.now() - startedAt > STEADY_MS) this.#failures = 0;
      const delay = Math.min(FIRST_DELAY_MS * 2 ** this.#failures++, LAST_DELAY_MS);
      this.emit('crash', cause, delay);
      this.#timer = setTimeout(() => this.start(), delay);
    };
    // Also what a message to a process that is just ending would throw.
    child.on('error', (error) => {
      if (child.pid === undefined) ended(error.message);
      else onLine(error.message);
    });
    child.once('exit', (code, signal) => ended(signal ?? `exit code ${code}`));
    if (child.pid !== undefined) this.emit('spawn', child.pid);
  }

  /** Asks it to drain, and ends it if it does not within fifteen seconds. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#timer) clearTimeout(this.#timer);
    const child = this.#child;
    if (!child) return;
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    const deadline = setTimeout(() => child.kill('SIGKILL'), DRAIN_MS);
    await gone;
    clearTimeout(deadline);
  }
}
