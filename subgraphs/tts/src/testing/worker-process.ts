import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface WorkerProcess {
  pid: number;
  exited: Promise<unknown>;
  /** The ids of its own child processes: the engine's. */
  engines(): number[];
  /** kill -9 */
  kill(): void;
  /** Asks it to stop as a supervisor does. */
  stop(): void;
}

const ENTRY = fileURLToPath(new URL('../worker.ts', import.meta.url));

/** Starts `worker.ts` as the supervisor does. Ends with this process, whatever happens to it. */
export function spawnWorker(env: Record<string, string>): WorkerProcess {
  const child = spawn(process.execPath, [ENTRY], {
    env: { NODE_ENV: 'test', LOG_LEVEL: 'error', ...env },
    // With an IPC channel, it stops when this process is gone.
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('The worker was not started.');
  return {
    pid,
    exited: once(child, 'exit'),
    engines: () => childrenOf(pid),
    kill: () => void child.kill('SIGKILL'),
    stop: () => void child.kill('SIGTERM'),
  };
}

function childrenOf(parent: number): number[] {
  return (
    execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
      .split('\n')
      .map((line) => line.trim().split(/\s+/).map(Number))
      .flatMap(([pid, ppid]) => (ppid === parent && pid !== undefined ? [pid] : []))
      // `ps` itself is a child of this process, never of the worker.
      .filter((pid) => pid !== process.pid)
  );
}
