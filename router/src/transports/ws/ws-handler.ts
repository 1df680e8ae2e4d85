import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { AppError } from '@timbre/platform/errors';
import type { Logger } from '@timbre/platform/logger';
import { GraphQLError, Kind } from 'graphql';
import type { ExecutionArgs, GraphQLSchema } from 'graphql';
import type { Context } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import type { Extra } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import type { Authenticate } from '../../auth/authenticator.ts';
import type { Principal } from '../../auth/principal.ts';
import type { Engine } from '../../engine.ts';
import type { RouterMetrics } from '../../metrics.ts';
import type { PreparedOperation } from '../../operations/prepare-operation.ts';
import { OperationRefused } from '../../operations/refusal.ts';
import { requestIdOf } from '../request-id.ts';
import { isAsyncIterable, observed } from './observed-stream.ts';

export interface WsHandlerOptions {
  engine: Engine;
  /** Only to satisfy the protocol library: it executes nothing itself. */
  schema: GraphQLSchema;
  authenticate: Authenticate;
  log: Logger;
  metrics: RouterMetrics;
  maxMessageBytes: number;
  /** Between pings of the websocket protocol; a client that does not answer by the next is cut. Default 12 s. */
  keepAliveMs?: number;
}

export interface WsHandler {
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Tells every client that the server goes away (1001) and waits until the sockets are closed. */
  drain(): Promise<void>;
}

/** Operations of one subscribe message, between the hooks of graphql-ws. */
interface Run {
  prepared: PreparedOperation;
  session: { principal: Principal; requestId: string };
}

const CLOSE_FORBIDDEN = 4403;
const CLOSE_DEADLINE_MS = 5_000;
/** A close frame has 125 bytes, two of which are the code. */
const MAX_REASON_BYTES = 123;

/** graphql-transport-ws (github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md) for all kinds of operations. */
export function createWsHandler(options: WsHandlerOptions): WsHandler {
  const { engine, schema, authenticate, log, metrics, maxMessageBytes, keepAliveMs = 12_000 } = options;
  const wss = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes, clientTracking: true });
  const principals = new WeakMap<object, Principal>();
  const runs = new WeakMap<object, Run>();

  const runOf = (args: object): Run => {
    const run = runs.get(args);
    if (run === undefined) throw new Error('An operation was executed that had not been prepared.');
    return run;
  };

  useServer<Record<string, unknown> | undefined, Partial<Extra>>(
    {
      async onConnect(context) {
        const { request, socket } = extraOf(context);
        const requestId = requestIdOf(request);
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
        const principal = principals.get(extraOf(context).socket);
        if (principal === undefined) return [errorOf('UNAUTHENTICATED', 'Nobody has been authenticated.')];
        if (principal.expiresAt !== null && principal.expiresAt * 1000 <= Date.now()) {
          return [errorOf('SUBSCRIPTION_AUTH_EXPIRED', 'The token has expired: connect again with a new one.')];
        }
        const session = { principal, requestId: randomUUID() };
        try {
          const { query, operationName, variables } = payload;
          const prepared = await engine.prepare({ query, operationName, variables }, session);
          const args: ExecutionArgs = {
            schema,
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
    wss,
    keepAliveMs,
  );
  wss.on('connection', (socket) => {
    metrics.clientSockets.inc();
    socket.once('close', () => metrics.clientSockets.dec());
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

function extraOf(context: Context<Record<string, unknown> | undefined, Partial<Extra>>): Extra {
  const { socket, request } = context.extra;
  if (socket === undefined || request === undefined) throw new Error('A websocket without its request.');
  return { socket, request };
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
