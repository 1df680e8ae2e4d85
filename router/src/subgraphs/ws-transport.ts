import { setImmediate as turn } from 'node:timers/promises';
import type { Logger } from '@timbre/platform/logger';
import { WebSocket } from 'ws';
import { isRecord } from '../demand/list-size.ts';

/** What a subgraph is asked for. */
export interface UpstreamPayload {
  query: string;
  operationName?: string | undefined;
  variables?: Readonly<Record<string, unknown>> | undefined;
  extensions?: Readonly<Record<string, unknown>> | undefined;
}

/** What a subgraph sends on one subscription. */
export interface UpstreamSink {
  /** `bytes`: of the message that it came in. */
  next(response: unknown, bytes: number): void;
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
  subscribe(payload: () => UpstreamPayload, sink: UpstreamSink): () => void;
  close(): Promise<void>;
}

export interface WsTransportOptions {
  log: Logger;
  /** Attempts to reconnect before subscribers are told; default 12, about 15 s. */
  retryAttempts?: number;
  /** The longest wait between two attempts; default 2 s. */
  maxRetryWaitMs?: number;
  /** Between pings; a subgraph that has not answered after half of it is connected to anew. Default 10 s. */
  keepAliveMs?: number;
  onSockets?: (change: 1 | -1) => void;
}

const SUBPROTOCOL = 'graphql-transport-ws';
const FIRST_RETRY_MS = 50;
const IDLE_CLOSE_MS = 10_000;
const ACK_MS = 5_000;
const CLOSE_MS = 1_000;
const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;
/** Subscribes between two turns of the event loop: each signs, serializes and sends. */
const SUBSCRIBES_AT_ONCE = 200;

interface Upstream {
  payload: () => UpstreamPayload;
  sink: UpstreamSink;
  /** The socket that it was last sent on. */
  sentOn: WebSocket | null;
}

/**
 * By hand, as the client of graphql-ws costs each of very many subscriptions promises and listeners of its
 * own, and ends them all where the subgraph sends one message that is none.
 */
export function createWsTransport(
  subgraph: { name: string; url: string },
  { log, retryAttempts = 12, maxRetryWaitMs = 2_000, keepAliveMs = 10_000, onSockets }: WsTransportOptions,
): SubscriptionTransport {
  const url = subgraph.url.replace(/^http/, 'ws');
  const upstreams = new Map<string, Upstream>();
  let ids = 0;
  let socket: WebSocket | null = null;
  let acknowledged = false;
  let failures = 0;
  let closed = false;
  let retryTimer: NodeJS.Timeout | undefined;
  let idleTimer: NodeJS.Timeout | undefined;
  let ackTimer: NodeJS.Timeout | undefined;
  let pingTimer: NodeJS.Timeout | undefined;
  let pongTimer: NodeJS.Timeout | undefined;

  function connect(): void {
    const opening = new WebSocket(url, SUBPROTOCOL, { perMessageDeflate: false, maxPayload: MAX_MESSAGE_BYTES });
    let reason: unknown = null;
    socket = opening;
    ackTimer = setTimeout(() => opening.terminate(), ACK_MS);
    opening.on('open', () => {
      onSockets?.(1);
      opening.once('close', () => onSockets?.(-1));
      opening.send('{"type":"connection_init"}');
    });
    opening.on('message', (data: Buffer) => {
      if (socket !== opening || isHandled(opening, data)) return;
      reason = new Error('The subgraph sent what is no message of the protocol.');
      opening.close(4004, 'Bad response');
      lost(opening, reason);
    });
    opening.on('error', (error) => (reason = error));
    opening.on('close', (code) => lost(opening, reason ?? new Error(`The subgraph closed the socket with ${code}.`)));
  }

  /** What a reader throws ends neither the process nor the others. */
  function isHandled(from: WebSocket, data: Buffer): boolean {
    try {
      return handle(from, data);
    } catch (error) {
      log.error({ err: error, subgraph: subgraph.name }, 'a message of the subgraph could not be handled');
      return true;
    }
  }

  /** @returns false for what is no message of the protocol */
  function handle(from: WebSocket, data: Buffer): boolean {
    let message: unknown;
    try {
      message = JSON.parse(data.toString('utf8'));
    } catch {
      return false;
    }
    if (!isRecord(message)) return false;
    const { type, id, payload } = message;
    if (type === 'next' || type === 'error' || type === 'complete') {
      if (typeof id !== 'string' || !acknowledged) return false;
      failures = 0;
      const upstream = upstreams.get(id);
      // What was in flight when its reader left.
      if (upstream === undefined) return true;
      if (type === 'next') {
        upstream.sink.next(payload, data.length);
        return true;
      }
      upstreams.delete(id);
      if (type === 'error') upstream.sink.error(Array.isArray(payload) ? payload : []);
      else upstream.sink.complete();
      closeIfIdle();
      return true;
    }
    if (type === 'ping') {
      from.send(JSON.stringify({ type: 'pong', payload }));
      return true;
    }
    if (type === 'pong') {
      failures = 0;
      clearTimeout(pongTimer);
      return true;
    }
    if (type !== 'connection_ack' || acknowledged) return false;
    acknowledged = true;
    clearTimeout(ackTimer);
    if (failures > 0) log.info({ subgraph: subgraph.name }, 'reconnected to the subgraph');
    pingTimer = setInterval(() => {
      from.send('{"type":"ping"}');
      pongTimer = setTimeout(() => from.terminate(), keepAliveMs / 2);
    }, keepAliveMs);
    void subscribeAll(from);
    return true;
  }

  async function subscribeAll(on: WebSocket): Promise<void> {
    let sent = 0;
    for (const [id, upstream] of upstreams) {
      if (upstream.sentOn === on) continue;
      send(on, id, upstream);
      sent += 1;
      if (sent % SUBSCRIBES_AT_ONCE > 0) continue;
      await turn();
      if (socket !== on) return;
    }
  }

  function send(on: WebSocket, id: string, upstream: Upstream): void {
    upstream.sentOn = on;
    let message: string;
    try {
      message = JSON.stringify({ id, type: 'subscribe', payload: upstream.payload() });
    } catch (error) {
      // After a reconnect there is nobody to catch it, and the others are to be subscribed too.
      log.error({ err: error, subgraph: subgraph.name }, 'a subscription could not be sent to the subgraph');
      upstreams.delete(id);
      queueMicrotask(() => upstream.sink.error([]));
      return;
    }
    on.send(message);
  }

  function lost(which: WebSocket, error: unknown): void {
    if (socket !== which) return;
    socket = null;
    acknowledged = false;
    for (const timer of [ackTimer, pingTimer, pongTimer, idleTimer]) clearTimeout(timer);
    if (upstreams.size === 0 || closed) return;
    failures += 1;
    if (failures > retryAttempts) {
      log.warn(
        { err: error, subgraph: subgraph.name, subscriptions: upstreams.size },
        'the subgraph cannot be reached',
      );
      failures = 0;
      endAll(({ sink }) => sink.error(null));
      return;
    }
    const longest = Math.min(maxRetryWaitMs, FIRST_RETRY_MS * 2 ** (failures - 1));
    retryTimer = setTimeout(
      () => {
        retryTimer = undefined;
        if (upstreams.size > 0) connect();
      },
      longest / 2 + (Math.random() * longest) / 2,
    );
  }

  function endAll(tell: (upstream: Upstream) => void): void {
    const all = [...upstreams.values()];
    upstreams.clear();
    for (const upstream of all) tell(upstream);
  }

  function closeIfIdle(): void {
    if (upstreams.size > 0 || socket === null) return;
    clearTimeout(idleTimer);
    const idle = socket;
    idleTimer = setTimeout(() => {
      if (upstreams.size === 0) idle.close(1000, 'Normal Closure');
    }, IDLE_CLOSE_MS).unref();
  }

  return {
    subscribe(payload, sink) {
      if (closed) {
        queueMicrotask(() => sink.complete());
        return () => undefined;
      }
      const id = String((ids += 1));
      const upstream: Upstream = { payload, sink, sentOn: null };
      upstreams.set(id, upstream);
      if (socket !== null && socket.readyState >= WebSocket.CLOSING) lost(socket, null);
      if (socket === null && retryTimer === undefined) connect();
      else if (socket !== null && acknowledged) send(socket, id, upstream);
      return () => {
        if (!upstreams.delete(id)) return;
        if (socket !== null && upstream.sentOn === socket && socket.readyState === WebSocket.OPEN) {
          socket.send(JSON.stringify({ id, type: 'complete' }));
        }
        closeIfIdle();
      };
    },
    async close() {
      closed = true;
      clearTimeout(retryTimer);
      const last = socket;
      endAll(({ sink }) => sink.complete());
      if (last === null) return;
      for (const timer of [ackTimer, pingTimer, pongTimer, idleTimer]) clearTimeout(timer);
      await new Promise<void>((resolve) => {
        const cut = setTimeout(() => last.terminate(), CLOSE_MS);
        last.once('close', () => {
          clearTimeout(cut);
          resolve();
        });
        last.close(1000, 'Normal Closure');
      });
    },
  };
}
