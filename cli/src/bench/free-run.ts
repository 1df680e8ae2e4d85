import { createServer } from 'node:net';
import { CommandError } from '../run-command.ts';

/** Below what Linux gives to connections (ip_local_port_range), so that no client's socket sits on one. */
const FIRST = 21_000;
const LAST = 32_000;

let next = FIRST;

/** The first of `count` ports in a row that are free on the loopback interface now; no port is given twice. */
export async function freeRun(count: number): Promise<number> {
  for (; next + count <= LAST; next++) {
    const ports = Array.from({ length: count }, (_, index) => next + index);
    const free = await Promise.all(ports.map(isFree));
    if (!free.every(Boolean)) continue;
    next += count;
    return next - count;
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
