import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { ClientOptions } from 'ws';

/** A client that knows nothing of the protocol, and so can say anything. */
export interface RawSocket {
  socket: WebSocket;
  /** What has come, parsed. */
  messages: Record<string, unknown>[];
  /** Sends an object as JSON, text as it is. */
  say(...messages: (object | string)[]): void;
  /** The first message, of those not yet asked for, that `type` fits. Rejects when the socket closes before. */
  hear(type: string): Promise<Record<string, unknown>>;
  closed: Promise<{ code: number; reason: string }>;
}

export async function openSocket(
  url: string,
  protocols: string[] = ['graphql-transport-ws'],
  options: ClientOptions = {},
): Promise<RawSocket> {
  const socket = new WebSocket(url, protocols, options);
  const messages: Record<string, unknown>[] = [];
  let heard = 0;
  let isClosed = false;
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => {
      isClosed = true;
      resolve({ code, reason: reason.toString() });
    });
  });
  socket.on('message', (data: Buffer) => messages.push(JSON.parse(data.toString())));
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  socket.on('error', () => undefined);
  return {
    socket,
    messages,
    closed,
    say(...all) {
      for (const message of all) socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    },
    async hear(type) {
      for (;;) {
        const at = messages.findIndex((message, i) => i >= heard && message['type'] === type);
        const found = messages[at];
        if (found !== undefined) {
          heard = at + 1;
          return found;
        }
        if (isClosed) throw new Error(`The socket was closed before "${type}".`);
        await delay(2);
      }
    },
  };
}
