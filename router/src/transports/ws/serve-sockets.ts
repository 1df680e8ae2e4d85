import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from '@timbre/platform/logger';
import { CloseCode, handleProtocols, makeServer } from 'graphql-ws';
import type { ServerOptions } from 'graphql-ws';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';

/** What the hooks of the protocol find in `context.extra`. */
export interface SocketExtra {
  socket: WebSocket;
  request: IncomingMessage;
}

export interface SocketServerOptions {
  maxMessageBytes: number;
  /** Between pings of the websocket protocol; a client that has not answered by the next is cut. */
  keepAliveMs: number;
  log: Logger;
  onSockets: (change: 1 | -1) => void;
}

export interface SocketServer {
  upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => void;
  drain: () => Promise<void>;
}

const CLOSE_DEADLINE_MS = 5_000;

/**
 * graphql-ws on websockets of `ws`. Unlike graphql-ws' own glue it writes nothing to the console
 * because of what a client sends: a message that is too long or malformed is the client's affair.
 */
export function serveSockets(
  protocol: ServerOptions<Record<string, unknown> | undefined, SocketExtra>,
  { maxMessageBytes, keepAliveMs, log, onSockets }: SocketServerOptions,
): SocketServer {
  const server = makeServer(protocol);
  const wss = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes, handleProtocols });

  wss.on('connection', (socket: WebSocket, request: IncomingMessage) => {
    onSockets(1);
    // ws has closed the socket with the code that fits already.
    socket.on('error', (error) => log.debug({ err: error }, 'a websocket failed'));
    const stopPings = keepAlive(socket, keepAliveMs);
    const closed = server.opened(
      {
        protocol: socket.protocol,
        send: (data) => send(socket, data),
        close: (code, reason) => socket.close(code, reason),
        onMessage(handle) {
          socket.on('message', (message: Buffer) => {
            handle(message.toString('utf8')).catch((error: unknown) => {
              log.error({ err: error }, 'a websocket message could not be handled');
              socket.close(CloseCode.InternalServerError, 'Internal server error');
            });
          });
        },
      },
      { socket, request },
    );
    socket.once('close', (code, reason) => {
      onSockets(-1);
      stopPings();
      closed(code, String(reason)).catch((error: unknown) => log.error({ err: error }, 'a websocket did not end well'));
    });
  });

  return {
    upgrade(req, socket, head) {
      socket.on('error', () => socket.destroy());
      wss.handleUpgrade(req, socket, head, (client) => wss.emit('connection', client, req));
    },
    async drain() {
      const closed = new Promise<void>((resolve) => {
        wss.close(() => resolve());
      });
      for (const client of wss.clients) client.close(1001, 'Going away');
      const cut = setTimeout(() => {
        for (const client of wss.clients) client.terminate();
      }, CLOSE_DEADLINE_MS);
      await closed;
      clearTimeout(cut);
    },
  };
}

/** Resolves when the message is with the kernel: that is the backpressure of a subscription. */
function send(socket: WebSocket, data: string): Promise<void> {
  if (socket.readyState !== socket.OPEN) return Promise.resolve();
  return new Promise((resolve) => {
    // What cannot be sent any more has nobody to read it; the close event ends its subscription.
    socket.send(data, () => resolve());
  });
}

function keepAlive(socket: WebSocket, everyMs: number): () => void {
  let answered = true;
  socket.on('pong', () => {
    answered = true;
  });
  const timer = setInterval(() => {
    if (!answered) socket.terminate();
    answered = false;
    if (socket.readyState === socket.OPEN) socket.ping();
  }, everyMs);
  return () => clearInterval(timer);
}
