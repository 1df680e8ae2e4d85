import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { CommandError } from '../run-command.ts';

export interface PinnedOptions {
  /** What it is called where it fails. */
  name: string;
  /** The only core that it may run on; default all that this process may. */
  core?: number;
  /** The program and its arguments. */
  command: readonly [string, ...string[]];
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Every line of both streams. */
  onLine?: (line: string) => void;
}

export interface PinnedProcess {
  name: string;
  pid: number;
  /** Rejects, with the last lines that it wrote, when it ends without having been stopped. */
  failed: Promise<never>;
  stop(): Promise<void>;
}

const KEPT_LINES = 20;
const DRAIN_MS = 15_000;

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

/** A program on one core, which does not outlive this process. `taskset` becomes the program, so that the pid is the program's own. */
export function startPinned({ name, core, command, env = {}, cwd, onLine }: PinnedOptions): PinnedProcess {
  const [program, ...args] = core === undefined ? command : (['taskset', '-c', String(core), ...command] as const);
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
  });
  running.add(child);
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > KEPT_LINES) lines.shift();
      onLine?.(line);
    });
  }
  let stopping = false;
  const ended = once(child, 'close');
  const failed = new Promise<never>((_, reject) => {
    child.once('error', (error) => reject(new CommandError(`${name} cannot be started: ${error.message}`)));
    child.once('close', (code: number | null, signal: string | null) => {
      running.delete(child);
      if (!stopping)
        reject(new CommandError(`${name} ended with ${signal ?? `exit code ${code}`}:\n${lines.join('\n')}`));
    });
  });
  // Whoever waits for it hears of it; while nobody does, it is no crash of the bench.
  failed.catch(() => undefined);
  return {
    name,
    pid: child.pid ?? 0,
    failed,
    async stop() {
      stopping = true;
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      child.kill('SIGTERM');
      const deadline = setTimeout(() => child.kill('SIGKILL'), DRAIN_MS);
      await ended.catch(() => undefined);
      clearTimeout(deadline);
    },
  };
}

/** @throws CommandError unless this is Linux with two cores and `taskset` */
export function requireTwoCores(): void {
  const pinned = spawnSync('taskset', ['-c', '0,1', 'true']);
  if (pinned.status !== 0) {
    throw new CommandError('This bench pins processes to cores 0 and 1: it needs Linux, two cores and taskset.', 2);
  }
}
