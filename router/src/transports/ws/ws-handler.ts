import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { AppError } from '@timbre/platform/errors';
import { REQUEST_ID_HEADER } from '@timbre/platform/identity';
import type { Logger } from '@timbre/platform/logger';
import { requestIdFrom } from '@timbre/platform/request-id';
import { GraphQLError, GraphQLSchema, Kind } from 'graphql';
import type { ExecutionArgs } from 'graphql';
import type { Authenticate } from '../../auth/authenticator.ts';
import type { Principal } from '../../auth/principal.ts';
import type { Engine, Session } from '../../engine.ts';
import type { RouterMetrics } from '../../metrics.ts';
import type { PreparedOperation } from '../../operations/prepare-operation.ts';
import { OperationRefused } from '../../operations/refusal.ts';
import { isAsyncIterable, observed } from './observed-stream.ts';
import { serveSockets } from './serve-sockets.ts';
import type { SocketServer } from './serve-sockets.ts';

export interface WsHandlerOptions {
  engine: Engine;
  authenticate: Authenticate;
  log: Logger;
  metrics: RouterMetrics;
  maxMessageBytes: number;
  /** Between pings of the websocket protocol; a client that does not answer by the next is cut. Default 12 s. */
  keepAliveMs?: number;
}

/** Operations of one subscribe message, between the hooks of graphql-ws. */
interface Run {
  prepared: PreparedOperation;
  session: Session;
}

/** To satisfy the protocol library: it executes nothing itself. */
const NO_SCHEMA = new GraphQLSchema({});
const CLOSE_FORBIDDEN = 4403;
/** A close frame has 125 bytes, two of which are the code. */
const MAX_REASON_BYTES = 123;

/** graphql-transport-ws (github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md) for all kinds of operations. */
export function createWsHandler(options: WsHandlerOptions): SocketServer {
  const { engine, authenticate, log, metrics, maxMessageBytes, keepAliveMs = 12_000 } = options;
  const principals = new WeakMap<object, Principal>();
  const runs = new WeakMap<object, Run>();

  const runOf = (args: object): Run => {
    const run = runs.get(args);
    if (run === undefined) throw new Error('An operation was executed that had not been prepared.');
    return run;
  };

  return serveSockets(
    {
      async onConnect(context) {
        const { request, socket } = context.extra;
        const requestId = requestIdFrom(request.headers[REQUEST_ID_HEADER]);
        try {
          const principal = await authenticate(authorizationOf(context.connectionParams, request), requestId);
          principals.set(socket, principal);
          return true;
        } catch (error) {
          const known = error instanceof AppError;
          if (!known) log.error({ err: error, requestId }, 'a websocket could not be authenticated');
          metrics.authFailures.inc({ code: known ? error.code : 'INTERNAL_SERVER_ERROR' });
          socket.close(CLOSE_FORBIDDEN, (known ? error.message : 'Internal server error').slice(0, MAX_REASON_BYTES));
          return false;
        }
      },
      async onSubscribe(context, _id, payload) {
        const principal = principals.get(context.extra.socket);
        if (principal === undefined) return [errorOf('UNAUTHENTICATED', 'Nobody has been authenticated.')];
        if (principal.expiresAt !== null && principal.expiresAt * 1000 <= Date.now()) {
          return [errorOf('SUBSCRIPTION_AUTH_EXPIRED', 'The token has expired: connect again with a new one.')];
        }
        const session = { principal, requestId: randomUUID(), headers: context.extra.request.headers };
        try {
          const { query, operationName, variables } = payload;
          const prepared = await engine.prepare({ query, operationName, variables }, session);
          const args: ExecutionArgs = {
            schema: NO_SCHEMA,
            document: { kind: Kind.DOCUMENT, definitions: [prepared.operation] },
          };
          runs.set(args, { prepared, session });
          return args;
        } catch (error) {
          if (error instanceof OperationRefused) return [...error.errors];
          throw error;
        }
      },
      async execute(args) {
        const { prepared, session } = runOf(args);
        const stop = metrics.operationDuration.startTimer({ transport: 'ws', operation: prepared.operation.operation });
        const outcome = await engine.execute(prepared, session);
        stop({ outcome: outcome.errors === undefined ? 'ok' : 'errors' });
        return outcome;
      },
      async subscribe(args) {
        const { prepared, session } = runOf(args);
        const stream = await engine.subscribe(prepared, session);
        return isAsyncIterable(stream) ? observed(stream, metrics) : stream;
      },
    },
    { maxMessageBytes, keepAliveMs, log, onSockets: (change) => metrics.clientSockets.inc(change) },
  );
}

/** Browsers cannot set headers on a websocket: the payload of `connection_init` comes first. */
function authorizationOf(params: Record<string, unknown> | undefined, req: IncomingMessage): string | undefined {
  for (const [name, value] of Object.entries(params ?? {})) {
    if (name.toLowerCase() === 'authorization' && typeof value === 'string') return value;
  }
  const { headers } = params ?? {};
  if (typeof headers === 'object' && headers !== null) {
    // Apollo Sandbox and Apollo Client's examples nest the headers.
    for (const [name, value] of Object.entries(headers)) {
      if (name.toLowerCase() === 'authorization' && typeof value === 'string') return value;
    }
  }
  return req.headers.authorization;
}

function errorOf(code: 'UNAUTHENTICATED' | 'SUBSCRIPTION_AUTH_EXPIRED', message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code } });
}
