import type { Logger } from '@timbre/platform/logger';
import { createClient } from 'graphql-ws';
import type { SubscribePayload } from 'graphql-ws';
import { WebSocket } from 'ws';

/** What a subgraph sends on one subscription. */
export interface UpstreamSink {
  next(response: unknown): void;
  /** The errors with which the subgraph refused or ended it; null when it cannot be reached any more. */
  error(errors: readonly unknown[] | null): void;
  complete(): void;
}

/** The subscriptions of every client on one subgraph, over one graphql-transport-ws connection. */
export interface SubscriptionTransport {
  /**
   * `payload` is called for the first subscribe and for every one after a reconnect: what it holds
   * (an identity that expires, the place to resume from) is as of then.
   *
   * @returns what ends the subscription
   */
  subscribe(payload: () => SubscribePayload, sink: UpstreamSink): () => void;
  close(): Promise<void>;
}

export interface WsTransportOptions {
  log: Logger;
  /** Attempts to reconnect before subscribers are told; default 12, about 15 s. */
  retryAttempts?: number;
  /** The longest wait between two attempts; default 2 s. */
  maxRetryWaitMs?: number;
  onSockets?: (open: number) => void;
}

const FIRST_RETRY_MS = 50;
const IDLE_CLOSE_MS = 10_000;
const PING_MS = 10_000;
const PONG_MS = 5_000;
const ACK_MS = 5_000;

export function createWsTransport(
  subgraph: { name: string; url: string },
  { log, retryAttempts = 12, maxRetryWaitMs = 2_000, onSockets }: WsTransportOptions,
): SubscriptionTransport {
  const url = subgraph.url.replace(/^http/, 'ws');
  let pongTimer: NodeJS.Timeout | undefined;
  let socket: WebSocket | null = null;

  const client = createClient({
    url,
    webSocketImpl: WebSocket,
    lazy: true,
    lazyCloseTimeout: IDLE_CLOSE_MS,
    keepAlive: PING_MS,
    connectionAckWaitTimeout: ACK_MS,
    retryAttempts,
    // A refused connection is what a subgraph that restarts looks like.
    shouldRetry: () => true,
    retryWait: (retries) => {
      const longest = Math.min(maxRetryWaitMs, FIRST_RETRY_MS * 2 ** retries);
      return new Promise((resolve) => {
        setTimeout(resolve, longest / 2 + (Math.random() * longest) / 2);
      });
    },
    on: {
      opened: (opened) => {
        socket = opened instanceof WebSocket ? opened : null;
        onSockets?.(1);
      },
      closed: () => {
        clearTimeout(pongTimer);
        if (socket !== null) onSockets?.(-1);
        socket = null;
      },
      // The client sends pings but does not mind when nothing comes back.
      ping: (received) => {
        if (!received) pongTimer = setTimeout(() => socket?.terminate(), PONG_MS);
      },
      pong: (received) => {
        if (received) clearTimeout(pongTimer);
      },
      connected: (_socket, _payload, wasRetry) => {
        if (wasRetry) log.info({ subgraph: subgraph.name }, 'reconnected to the subgraph');
      },
    },
  });

  return {
    subscribe(payload, sink) {
      // Serialized at every (re)connection: a getter is what makes that a fresh one each time.
      const fresh: SubscribePayload = {
        get query() {
          return payload().query;
        },
        get operationName() {
          return payload().operationName;
        },
        get variables() {
          return payload().variables;
        },
        get extensions() {
          return payload().extensions;
        },
      };
      return client.subscribe(fresh, {
        next: (response) => sink.next(response),
        error: (error) => {
          if (!Array.isArray(error))
            log.warn({ err: error, subgraph: subgraph.name }, 'the subgraph cannot be reached');
          sink.error(Array.isArray(error) ? error : null);
        },
        complete: () => sink.complete(),
      });
    },
    async close() {
      clearTimeout(pongTimer);
      await client.dispose();
    },
  };
}
