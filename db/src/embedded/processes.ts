import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Resolves once `done()` holds, false when it does not within `ms`. */
export async function waitUntil(done: () => boolean | Promise<boolean>, ms: number): Promise<boolean> {
  const deadline = Date.now() + ms;
  while (!(await done())) {
    if (Date.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** False when there is no such process, or it is not ours to signal. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/**
 * Distinguishes a process from a later one with the same number. Linux only: start time in clock ticks since boot,
 * field 22 of proc(5)'s stat. Null where that cannot be told, and for one that ended and was not waited for.
 */
export async function startTime(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  // The second field is the command in parentheses and may hold spaces: count from behind it.
  const [state, ...fields] = text?.slice(text.lastIndexOf(')') + 2).split(' ') ?? [];
  return state === 'Z' ? null : (fields[18] ?? null);
}

/** Linux: the processes whose working directory is `dir`, as every process of a PostgreSQL server has its cluster. */
export async function processesIn(dir: string): Promise<number[]> {
  const wanted = await stat(dir).catch(() => null);
  if (wanted === null) return [];
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const cwd = await stat(join('/proc', String(pid), 'cwd')).catch(() => null);
      if (cwd === null || cwd.dev !== wanted.dev || cwd.ino !== wanted.ino) return null;
      const command = await readFile(join('/proc', String(pid), 'comm'), 'utf8').catch(() => '');
      return command.startsWith('postgres') ? pid : null;
    }),
  );
  return found.filter((pid) => pid !== null);
}
