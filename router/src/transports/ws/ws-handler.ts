import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '@timbre/platform/errors';
import type { Logger } from '@timbre/platform/logger';
import { GraphQLError, OperationTypeNode } from 'graphql';
import type { Authenticate } from '../../auth/authenticator.ts';
import type { Callers } from '../../limits/callers.ts';
import type { ConcurrencyOptions } from '../../limits/concurrency-limits.ts';
import type { Engine } from '../../engine.ts';
import { internalError } from '../../execution/client-errors.ts';
import type { RouterMetrics } from '../../metrics.ts';
import { clientIdentityOf } from '../client-identity.ts';
import { OperationRefused } from '../../operations/refusal.ts';
import { startOperation } from '../results.ts';
import { ConnectionRefused } from './connection.ts';
import type { Handshake } from './connection.ts';
import { serveSockets } from './serve-sockets.ts';
import type { SocketServer, SocketServerOptions } from './serve-sockets.ts';

export interface WsHandlerOptions {
  engine: Engine;
  authenticate: Authenticate;
  log: Logger;
  metrics: RouterMetrics;
  /** Of whose pages cookies count on a websocket, beside our own. */
  origins: readonly string[];
  maxMessageBytes: number;
  keepAliveMs: number;
  slowClient: SocketServerOptions['slowClient'];
  concurrency: ConcurrencyOptions;
  callers: Callers;
}

const INIT_TIMEOUT_MS = 3_000;

/** graphql-transport-ws (github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md) for all kinds of operations. */
export function createWsHandler(options: WsHandlerOptions): SocketServer {
  const { engine, authenticate, log, metrics, origins, maxMessageBytes, keepAliveMs, slowClient, callers } = options;
  const { sockets = Infinity, socketsPerAddress = Infinity, operationsPerSocket = Infinity } = options.concurrency;

  async function connect(params: Readonly<Record<string, unknown>> | null, handshake: Handshake) {
    const { requestId } = handshake;
    try {
      return await authenticate({
        headers: headersOf(params, handshake),
        requestId,
        mayBeForeign: () => mayBeForeign(handshake, origins),
      });
    } catch (error) {
      const known = error instanceof AppError;
      if (!known) log.error({ err: error, requestId }, 'a websocket could not be authenticated');
      metrics.authFailures.inc({ code: known ? error.code : 'INTERNAL_SERVER_ERROR' });
      throw new ConnectionRefused(known ? error.message : 'Internal server error');
    }
  }

  return serveSockets(
    {
      initTimeoutMs: INIT_TIMEOUT_MS,
      maxOperations: operationsPerSocket,
      connect,
      join(client) {
        const caller = callers.of(client);
        if (caller.sockets >= sockets) throw new ConnectionRefused(`Too many websockets: the limit is ${sockets}`);
        caller.sockets += 1;
      },
      leave(client) {
        callers.of(client).sockets -= 1;
      },
      async start(request, { principal, headers, address }, gone) {
        if (principal.expiresAt !== null && principal.expiresAt * 1000 <= Date.now()) {
          throw new GraphQLError('The token has expired: connect again with a new one.', {
            extensions: { code: 'SUBSCRIPTION_AUTH_EXPIRED' },
          });
        }
        const session = {
          principal,
          requestId: randomUUID(),
          headers,
          incremental: true,
          transport: 'ws' as const,
          address,
          client: clientIdentityOf(headers),
        };
        const started = performance.now();
        const prepared = await engine.prepare(request, session).catch((error: unknown) => {
          const errors = error instanceof OperationRefused ? error.errors : undefined;
          metrics.operations.ended({ session, prepared: null, started, outcome: 'refused', errors });
          throw error;
        });
        // What a client that left has started to change is brought to its end.
        const abandoned = prepared.operation.operation === OperationTypeNode.QUERY ? { signal: gone() } : {};
        return startOperation(prepared, { ...session, ...abandoned }, { engine, metrics, started });
      },
      onFailure(error) {
        const requestId = randomUUID();
        log.error({ err: error, requestId }, 'an operation over a websocket failed');
        return internalError(requestId);
      },
    },
    {
      maxMessageBytes,
      keepAliveMs,
      slowClient,
      log,
      hasRoom: (address) => callers.ofAddress(address).connections < socketsPerAddress,
      onSockets(change, address) {
        callers.ofAddress(address).connections += change;
        metrics.clientSockets.inc(change);
      },
    },
  );
}

/**
 * Browsers cannot set headers on a websocket, so that what the payload of `connection_init` says stands for the header of
 * that name. Not for cookies: those are the browser's to send.
 */
function headersOf(params: Readonly<Record<string, unknown>> | null, { headers }: Handshake): IncomingHttpHeaders {
  if (params === null) return headers;
  const said: Record<string, string> = {};
  const { headers: nested } = params;
  // Apollo Sandbox and Apollo Client's examples nest the headers.
  for (const some of [typeof nested === 'object' && nested !== null ? nested : {}, params]) {
    for (const [key, value] of Object.entries(some)) {
      const name = key.toLowerCase();
      if (name !== 'cookie' && typeof value === 'string') said[name] = value;
    }
  }
  return { ...headers, ...said };
}

/** A page of any origin can open a websocket here, and the browser sends our cookies with it and its `Origin`. */
function mayBeForeign({ headers: { origin }, isSameOrigin }: Handshake, origins: readonly string[]): boolean {
  return origin !== undefined && !isSameOrigin && !origins.includes(origin);
}
