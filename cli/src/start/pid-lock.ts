import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError } from '../run-command.ts';

/**
 * Makes this process the only one that runs a system on `dataDir`. The lock of a process that is gone is taken over.
 *
 * @returns what gives the lock back
 * @throws CommandError that names the process that holds it
 */
export function acquirePidLock(dataDir: string): () => void {
  const file = join(dataDir, 'timbre.pid');
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const descriptor = openSync(file, 'wx', 0o600);
      writeSync(descriptor, String(process.pid));
      closeSync(descriptor);
      return () => {
        if (readPid(file) === process.pid) rmSync(file, { force: true });
      };
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
    const holder = readPid(file);
    if (holder !== null && holder !== process.pid && isAlive(holder)) {
      throw new CommandError(
        `Timbre is already running on ${dataDir} (process ${holder}).\n` +
          `Use it, stop it with Ctrl-C in its terminal (or: kill ${holder}), or set DATA_DIR to another directory.`,
      );
    }
    rmSync(file, { force: true });
  }
  throw new CommandError(`The lock ${file} keeps changing hands: several starts at once? Try again.`);
}

function readPid(file: string): number | null {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    return Number.isInteger(pid) && pid > 0 ? pid : null;
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
