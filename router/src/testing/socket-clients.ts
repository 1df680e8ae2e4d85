import { openSocket } from './raw-socket.ts';
import type { RawSocket } from './raw-socket.ts';
import type { TestRouter } from './test-router.ts';

export const INIT = { type: 'connection_init' };
export const subscribe = (id: string, query: string, more: object = {}) => ({
  id,
  type: 'subscribe',
  payload: { query, ...more },
});
export const complete = (id: string) => ({ id, type: 'complete' });

export const QUERY = '{ who { userId } }';
/** Of the test graph: it says nothing until the graph ticks. */
export const QUIET = 'subscription { changes { sequence } }';

export interface SocketClients {
  open: (protocols?: string[]) => Promise<RawSocket>;
  /** One that has been acknowledged. */
  ready: (payload?: object) => Promise<RawSocket>;
  /** For the end of each test. */
  terminateAll: () => void;
}

/** Websockets to the router of a test file. */
export function socketClients(routerOf: () => Pick<TestRouter, 'wsUrl'>): SocketClients {
  const sockets: RawSocket[] = [];

  async function open(protocols?: string[]): Promise<RawSocket> {
    const socket = await openSocket(routerOf().wsUrl, protocols);
    sockets.push(socket);
    return socket;
  }

  return {
    open,
    async ready(payload) {
      const socket = await open();
      socket.say({ ...INIT, payload });
      await socket.hear('connection_ack');
      return socket;
    },
    terminateAll() {
      for (const { socket } of sockets.splice(0)) socket.terminate();
    },
  };
}
