import { createServer } from 'node:net';
import { CommandError } from '../run-command.ts';

/**
 * A port that is free on `host` now; `wanted` 0 lets the system choose.
 *
 * @throws CommandError when the wanted one is taken
 */
export async function freePort(host: string, wanted = 0): Promise<number> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(wanted, host, resolve);
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('The system gave no port.');
    return address.port;
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'EADDRINUSE' || error.code === 'EACCES')) {
      throw new CommandError(
        `Port ${wanted} on ${host} ${error.code === 'EACCES' ? 'may not be used by you' : 'is taken'}. Choose another: PORT=4100 npm start`,
      );
    }
    throw error;
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}
