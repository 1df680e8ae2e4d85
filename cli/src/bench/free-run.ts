import { createServer } from 'node:net';
import { CommandError } from '../run-command.ts';

/** Below what Linux gives to connections (ip_local_port_range), so that no client's socket sits on one. */
const FIRST = 21_000;
const LAST = 32_000;

/** Anywhere: another bench on the same machine looks for ports, too. */
let next = FIRST + Math.floor(Math.random() * (LAST - FIRST));

/** The first of `count` ports in a row that are free on the loopback interface now; no port is given twice. */
export async function freeRun(count: number): Promise<number> {
  for (let tried = FIRST; tried < LAST; tried++) {
    if (next + count > LAST) next = FIRST;
    const first = next;
    // Whoever asks while these are looked at gets others.
    next += count;
    const free = await Promise.all(Array.from({ length: count }, (_, index) => isFree(first + index)));
    if (free.every(Boolean)) return first;
  }
  throw new CommandError(`No ${count} ports in a row are free from ${FIRST} to ${LAST}.`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
