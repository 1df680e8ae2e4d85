import { WebSocket } from 'ws';
import { z } from 'zod';

export interface TransportClientOptions {
  url: string;
  /** An address of the loopback network: a pair of addresses has no more than some 28,000 ports. */
  localAddress: string;
  token: string;
  query: string;
  variables: Record<string, unknown>;
  onEvent: (data: Record<string, unknown>) => void;
  /** Anything but events until it is closed from here. */
  onFailure: (reason: string) => void;
}

const messageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('connection_ack') }),
  z.object({ type: z.literal('ping') }),
  z.object({ type: z.literal('pong') }),
  z.object({
    type: z.literal('next'),
    payload: z.object({ data: z.record(z.string(), z.unknown()).nullish(), errors: z.array(z.unknown()).optional() }),
  }),
  z.object({ type: z.literal('error'), payload: z.array(z.unknown()) }),
  z.object({ type: z.literal('complete') }),
]);

/** One socket with one subscription: graphql-transport-ws without what a client library keeps for each. */
export class TransportClient {
  readonly #socket: WebSocket;
  readonly #options: TransportClientOptions;
  readonly #acknowledged = Promise.withResolvers<void>();
  #closing = false;

  constructor(options: TransportClientOptions) {
    this.#options = options;
    const { url, localAddress, token } = options;
    this.#socket = new WebSocket(url, 'graphql-transport-ws', { localAddress, perMessageDeflate: false });
    this.#socket.on('open', () =>
      this.#send({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } }),
    );
    this.#socket.on('message', (message: Buffer) => this.#receive(message.toString('utf8')));
    this.#socket.on('error', (error) => this.#fail(error.message));
    this.#socket.on('close', (code, reason) => this.#fail(`closed with ${code} ${String(reason)}`));
  }

  /** The subscription has been asked for when it resolves. */
  get acknowledged(): Promise<void> {
    return this.#acknowledged.promise;
  }

  close(): void {
    this.#closing = true;
    this.#socket.close(1000);
  }

  /** Without a word, as a client that is cut off. */
  terminate(): void {
    this.#closing = true;
    this.#socket.terminate();
  }

  #receive(text: string): void {
    const message = messageSchema.parse(JSON.parse(text));
    switch (message.type) {
      case 'next':
        if (message.payload.errors || !message.payload.data) this.#fail(text);
        else this.#options.onEvent(message.payload.data);
        return;
      case 'connection_ack': {
        const { query, variables } = this.#options;
        this.#send({ id: '1', type: 'subscribe', payload: { query, variables } });
        this.#acknowledged.resolve();
        return;
      }
      case 'ping':
        this.#send({ type: 'pong' });
        return;
      case 'pong':
        return;
      case 'error':
      case 'complete':
        this.#fail(text);
    }
  }

  #send(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }

  #fail(reason: string): void {
    if (this.#closing) return;
    this.#acknowledged.reject(new Error(reason));
    this.#acknowledged.promise.catch(() => undefined);
    this.#options.onFailure(reason);
  }
}
