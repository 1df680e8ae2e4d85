import { readFile } from 'node:fs/promises';
import { CommandError } from '../run-command.ts';

/** Node raises its own soft limit to the hard one. @throws CommandError where a process may open less than `count` files */
export async function requireFiles(count: number): Promise<void> {
  const limits = await readFile('/proc/self/limits', 'utf8');
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1];
  if (hard !== undefined && hard !== 'unlimited' && Number(hard) < count) {
    throw new CommandError(
      `A process may open ${hard} files and ${count} are needed: raise it first, as root by: prlimit --pid $$ --nofile=${count}`,
      2,
    );
  }
}
