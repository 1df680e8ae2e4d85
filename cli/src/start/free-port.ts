import { createServer, type Server } from 'node:net';
import { CommandError } from '../run-command.ts';

/**
 * A port that is free on `host` now; `wanted` 0 lets the system choose.
 *
 * @throws CommandError when the wanted one is taken
 */
export async function freePort(host: string, wanted = 0): Promise<number> {
  const [port = 0] = await freePorts(host, [wanted]);
  return port;
}

/** Several at once, no two the same: all are held until all are known. */
export async function freePorts(host: string, wanted: readonly number[]): Promise<number[]> {
  const servers: Server[] = [];
  const ports: number[] = [];
  try {
    for (const port of wanted) {
      const server = createServer();
      servers.push(server);
      ports.push(await listen(server, host, port));
    }
    return ports;
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

async function listen(server: Server, host: string, wanted: number): Promise<number> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(wanted, host, resolve);
    });
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'EADDRINUSE' || error.code === 'EACCES')) {
      throw new CommandError(
        `Port ${wanted} on ${host} ${error.code === 'EACCES' ? 'may not be used by you' : 'is taken'}. Choose another: PORT=4100 npm start`,
      );
    }
    throw error;
  }
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The system gave no port.');
  return address.port;
}
