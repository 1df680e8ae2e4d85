import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { ListenOptions, Server as TcpServer } from 'node:net';
import { platform } from 'node:os';

/**
 * Connections that wait to be accepted, as far as the system lets them (`net.core.somaxconn`). With Node's 511 a busy moment is
 * enough: the kernel drops the others, whose clients try again after 1, 3, 7 s and so on.
 */
const BACKLOG = 4_096;

export interface Listening {
  port: number;
  /** Accepts nothing any more; resolves when the last connection has ended. */
  close: () => Promise<void>;
}

export interface ListenAt {
  /** 0: chosen by the system. */
  port: number;
  host: string;
  /**
   * Node accepts one connection of a listener in each turn of its event loop. While there is much to do in a turn, those that
   * have just connected wait for many turns, and whoever has a connection is served before them. Of more listeners so many are
   * accepted. Only on Linux, which shares connections among them.
   */
  listeners?: number;
}

export async function listen(server: Server, { port, host, listeners = 1 }: ListenAt): Promise<Listening> {
  if (listeners === 1 || platform() !== 'linux') {
    await bind(server, { port, host });
    return { port: portOf(server), close: () => closed(server) };
  }
  // Listeners that share a port would share it with those of another process: it is an error that there are any.
  const probe = createServer();
  await bind(probe, { port, host });
  const at = { port: portOf(probe), host, reusePort: true };
  await closed(probe);
  const accept = (): TcpServer =>
    createTcpServer({ allowHalfOpen: true, noDelay: true }, (socket) => server.emit('connection', socket));
  const servers = [server, ...Array.from({ length: listeners - 1 }, accept)];
  for (const each of servers) await bind(each, at);
  return { port: at.port, close: async () => void (await Promise.all(servers.map(closed))) };
}

function bind(server: TcpServer, at: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...at, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

const closed = (server: TcpServer): Promise<void> => new Promise((resolve) => void server.close(() => resolve()));

function portOf(server: TcpServer): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('A server of TCP has a port.');
  return address.port;
}
