import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { CommandError } from '../run-command.ts';

const holderSchema = z.object({
  pid: z.number().int().positive(),
  /** Tells the holder from a later process with the same number; null where the system does not say. */
  startTime: z.string().nullable(),
});

type Holder = z.output<typeof holderSchema>;

/**
 * Makes this process the only one that runs a system on `dataDir`. The lock of a process that is gone is taken over.
 *
 * @returns what gives the lock back
 * @throws CommandError that names the process that holds it
 */
export function acquirePidLock(dataDir: string): () => void {
  const file = join(dataDir, 'timbre.pid');
  const own = `${file}.${process.pid}`;
  const self: Holder = { pid: process.pid, startTime: startTimeOf(process.pid) };
  writeFileSync(own, JSON.stringify(self), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 5; attempt++) {
      // A link appears with its content and refuses to replace another: nobody ever reads half a lock.
      if (tryTo(() => linkSync(own, file), 'EEXIST')) return () => release(file, self);
      const holder = readHolder(file);
      if (holder !== null && runs(holder)) throw taken(dataDir, holder.pid);
      discard(file, holder);
    }
    throw new CommandError(`The lock ${file} keeps changing hands: several starts at once? Try again.`);
  } finally {
    rmSync(own, { force: true });
  }
}

/** Two that find the same stale lock must not remove each other's new one: what was moved away is looked at again. */
function discard(file: string, stale: Holder | null): void {
  const aside = `${file}.${process.pid}.stale`;
  if (!tryTo(() => renameSync(file, aside), 'ENOENT')) return;
  const moved = readHolder(aside);
  if (moved !== null && JSON.stringify(moved) !== JSON.stringify(stale)) tryTo(() => linkSync(aside, file), 'EEXIST');
  rmSync(aside, { force: true });
}

function release(file: string, self: Holder): void {
  if (JSON.stringify(readHolder(file)) === JSON.stringify(self)) rmSync(file, { force: true });
}

function taken(dataDir: string, pid: number): CommandError {
  return new CommandError(
    `Timbre is already running on ${dataDir} (process ${pid}).\n` +
      `Use it, stop it with Ctrl-C in its terminal (or: kill ${pid}), or set DATA_DIR to another directory.`,
  );
}

function readHolder(file: string): Holder | null {
  try {
    return holderSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return null;
  }
}

/** Containers give the same few numbers again and again: a process of that number is the holder only if it started then. */
function runs({ pid, startTime }: Holder): boolean {
  return isAlive(pid) && (startTime === null || startTime === startTimeOf(pid));
}

/** Linux: since boot, in clock ticks: field 22 of proc(5)'s stat, counted from behind the command, which may hold spaces. */
function startTimeOf(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

/** Signal 0 asks whether a process exists; EPERM says that it does, and is somebody else's. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** False where it fails for the expected reason. */
function tryTo(action: () => void, expected: string): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === expected) return false;
    throw error;
  }
}
