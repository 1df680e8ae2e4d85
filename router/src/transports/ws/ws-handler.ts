import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '@timbre/platform/errors';
import type { Logger } from '@timbre/platform/logger';
import { GraphQLError, OperationTypeNode } from 'graphql';
import type { Authenticate } from '../../auth/authenticator.ts';
import type { Principal } from '../../auth/principal.ts';
import { currentOf } from '../../auth/revocation.ts';
import type { Callers } from '../../limits/callers.ts';
import { tooMuchAtOnce } from '../../limits/concurrency-limits.ts';
import type { ConcurrencyOptions } from '../../limits/concurrency-limits.ts';
import type { Engine } from '../../engine.ts';
import { internalError } from '../../execution/client-errors.ts';
import type { RouterMetrics } from '../../metrics.ts';
import { OperationRefused } from '../../operations/refusal.ts';
import type { AddressOf } from '../caller-address.ts';
import { clientIdentityOf, isIdentified } from '../client-identity.ts';
import { startOperation } from '../results.ts';
import { ConnectionRefused } from './connection.ts';
import type { Client, Handshake } from './connection.ts';
import { serveSockets } from './serve-sockets.ts';
import type { SocketServer, SocketServerOptions } from './serve-sockets.ts';

export interface WsHandlerOptions {
  engine: Engine;
  authenticate: Authenticate;
  log: Logger;
  metrics: RouterMetrics;
  /** Of whose pages cookies count on a websocket, beside our own. */
  origins: () => readonly string[];
  addressOf: AddressOf;
  /** A client that does not say its name and version is not acknowledged. */
  requireClient: boolean;
  maxMessageBytes: number;
  keepAliveMs: number;
  slowClient: SocketServerOptions['slowClient'];
  concurrency: ConcurrencyOptions;
  callers: Callers;
}

const INIT_TIMEOUT_MS = 3_000;

/** graphql-transport-ws (github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md) for all kinds of operations. */
export function createWsHandler(options: WsHandlerOptions): SocketServer {
  const { engine, authenticate, log, metrics, origins, addressOf, requireClient, callers } = options;
  const { maxMessageBytes, keepAliveMs, slowClient } = options;
  const { sockets = Infinity, socketsPerAddress = Infinity, operationsPerSocket = Infinity } = options.concurrency;

  async function connect(params: Readonly<Record<string, unknown>> | null, handshake: Handshake): Promise<Client> {
    const { requestId, headers, address } = handshake;
    const said = headersOf(params, handshake);
    const identity = clientIdentityOf(said);
    if (requireClient && !isIdentified(identity)) {
      throw new ConnectionRefused("CLIENT_NOT_IDENTIFIED: say the client's name and version");
    }
    try {
      const principal = await authenticate({
        headers: said,
        requestId,
        mayBeForeign: () => mayBeForeign(handshake, origins()),
      });
      return { principal, headers, address, identity };
    } catch (error) {
      const known = error instanceof AppError;
      if (!known) log.error({ err: error, requestId }, 'a websocket could not be authenticated');
      metrics.authFailures.inc({ code: known ? error.code : 'INTERNAL_SERVER_ERROR' });
      throw new ConnectionRefused(known ? error.message : 'Internal server error');
    }
  }

  /** A socket may be open for longer than its credential stands for the same. @throws GraphQLError */
  function currentPrincipal(acknowledged: Principal, requestId: string): Principal | Promise<Principal> {
    const current = currentOf(acknowledged, requestId);
    if (!(current instanceof Promise)) return current;
    return current.catch((error: unknown) => {
      if (!(error instanceof AppError)) throw error;
      metrics.authFailures.inc({ code: error.code });
      throw new GraphQLError(error.message, { extensions: { code: error.code } });
    });
  }

  return serveSockets(
    {
      initTimeoutMs: INIT_TIMEOUT_MS,
      connect,
      join(client) {
        const caller = callers.of(client);
        if (caller.sockets >= sockets) throw new ConnectionRefused(`Too many websockets: the limit is ${sockets}`);
        caller.sockets += 1;
      },
      leave(client) {
        callers.of(client).sockets -= 1;
      },
      async start(request, { principal: acknowledged, headers, address, identity: client }, { running, gone }) {
        const requestId = randomUUID();
        const found = currentPrincipal(acknowledged, requestId);
        const principal = found instanceof Promise ? await found : found;
        if (principal.expiresAt !== null && principal.expiresAt * 1000 <= Date.now()) {
          throw new GraphQLError('The token has expired: connect again with a new one.', {
            extensions: { code: 'SUBSCRIPTION_AUTH_EXPIRED' },
          });
        }
        const session = {
          principal,
          requestId,
          headers,
          incremental: true,
          transport: 'ws' as const,
          address,
          client,
        };
        const started = performance.now();
        const preparing =
          running > operationsPerSocket
            ? Promise.reject(tooMuchAtOnce('operationsPerSocket', operationsPerSocket))
            : engine.prepare(request, session);
        const prepared = await preparing.catch((error: unknown) => {
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
      addressOf,
      hasRoom: (address) => callers.ofAddress(address).connections < socketsPerAddress,
      onSockets(change, address) {
        callers.ofAddress(address).connections += change;
        metrics.clientSockets.inc(change);
      },
    },
  );
}

/** Without a header's name, as some clients' examples have them. */
const IDENTITY_PARAMS: Readonly<Record<string, string>> = {
  clientname: 'graphql-client-name',
  clientversion: 'graphql-client-version',
};

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
      if (name === 'cookie' || typeof value !== 'string') continue;
      said[IDENTITY_PARAMS[name] ?? name] = value;
    }
  }
  return { ...headers, ...said };
}

/** A page of any origin can open a websocket here, and the browser sends our cookies with it and its `Origin`. */
function mayBeForeign({ headers: { origin }, isSameOrigin }: Handshake, origins: readonly string[]): boolean {
  return origin !== undefined && !isSameOrigin && !origins.includes(origin);
}
