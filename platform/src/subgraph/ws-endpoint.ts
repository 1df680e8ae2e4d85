import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createSourceEventStream, execute, GraphQLError, parse, validate } from 'graphql';
import type { DocumentNode, ExecutionArgs, ExecutionResult, FormattedExecutionResult, GraphQLSchema } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { AppError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { maskError } from '../graphql-errors.ts';
import type { MaskOptions } from '../graphql-errors.ts';
import type { IdentityVerifier } from '../identity.ts';
import type { Logger } from '../logger.ts';
import { requestIdFrom } from '../request-id.ts';
import { withinSpan } from '../telemetry/current-span.ts';
import type { Span, Tracing } from '../telemetry/tracing.ts';
import { CachingLimit } from './caching-limit.ts';
import { operationAttributes } from './operation-span.ts';
import type { RequestContext } from './request-context.ts';

export interface WsEndpointOptions<Context extends object> {
  schema: GraphQLSchema;
  createContext: (base: RequestContext) => Context;
  verifyIdentity: IdentityVerifier;
  log: Logger;
  tracing: Tracing | null;
  maxMessageBytes: number;
}

export interface WsEndpoint {
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Takes no further socket and closes the others with 1001. */
  drain(): Promise<void>;
}

/** How long a client may take to answer a close frame. */
const CLOSE_DEADLINE_MS = 2_000;

/** What the router puts into a subscribe message, beside a `traceparent`. */
interface SubscribeExtensions {
  identity?: unknown;
  requestId?: unknown;
}

/**
 * graphql-transport-ws for the router, which multiplexes the subscriptions of all its clients over
 * one socket: each subscribe carries its own signed identity in `extensions.identity`, and nothing
 * that goes wrong with one may close the socket.
 */
export function createWsEndpoint<Context extends object>(options: WsEndpointOptions<Context>): WsEndpoint {
  const { schema, log, tracing } = options;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: options.maxMessageBytes });
  const operations = new WeakMap<object, Operation<Context>>();
  const scopes = new WeakMap<object, MaskOptions>();

  const disposable = useServer(
    {
      onSubscribe(_ctx, _id, payload) {
        const extensions: SubscribeExtensions = payload.extensions ?? {};
        const requestId = requestIdFrom(extensions.requestId);
        const scope = { requestId, log: log.child({ requestId }) };
        scopes.set(payload, scope);
        try {
          const token = typeof extensions.identity === 'string' ? extensions.identity : undefined;
          const identity = options.verifyIdentity(token);
          const document = parseDocument(payload.query);
          const errors = validate(schema, document);
          if (errors.length > 0) return errors.map((error) => withCode(error, 'GRAPHQL_VALIDATION_FAILED'));
          const controller = new AbortController();
          const newContext = () =>
            options.createContext({ identity, ...scope, signal: controller.signal, caching: new CachingLimit() });
          const args: ExecutionArgs = {
            schema,
            document,
            contextValue: newContext(),
            operationName: payload.operationName ?? null,
            variableValues: payload.variables ?? null,
          };
          const beginSpan = () =>
            tracing?.serve('subscription', 'server', payload.extensions ?? {}, operationAttributes(payload));
          operations.set(args, { controller, newContext, beginSpan });
          return args;
        } catch (error) {
          return [error instanceof GraphQLError ? error : new GraphQLError('', { originalError: toError(error) })];
        }
      },
      subscribe: (args) => subscribe(args, operations.get(args)),
      onNext(_ctx, _id, payload, _args, { errors, data, extensions }): FormattedExecutionResult | undefined {
        if (errors === undefined) return undefined;
        const scope = scopeOf(payload);
        return {
          errors: errors.map((error) => maskError(error, scope)),
          ...(data === undefined ? {} : { data }),
          ...(extensions === undefined ? {} : { extensions }),
        };
      },
      onError(_ctx, _id, payload, errors) {
        const scope = scopeOf(payload);
        return errors.map((error) => maskError(error, scope));
      },
    },
    sockets,
  );

  function scopeOf(payload: object): MaskOptions {
    return scopes.get(payload) ?? { requestId: requestIdFrom(undefined), log };
  }

  return {
    upgrade(req, socket, head) {
      sockets.handleUpgrade(req, socket, head, (client) => sockets.emit('connection', client, req));
    },
    async drain() {
      const cut = setTimeout(() => {
        for (const client of sockets.clients) client.terminate();
      }, CLOSE_DEADLINE_MS);
      await disposable.dispose();
      clearTimeout(cut);
    },
  };
}

interface Operation<Context> {
  controller: AbortController;
  newContext: () => Context;
  beginSpan: () => Span | undefined;
}

/**
 * Like graphql-js' `subscribe`, but every event is executed with a context of its own: the
 * DataLoaders of a shared one would answer the second event with the rows of the first.
 * Its span is one of its own, too: the subscription's has ended when its source is open.
 */
async function subscribe<Context extends object>(
  args: ExecutionArgs,
  operation: Operation<Context> | undefined,
): Promise<AsyncGenerator<ExecutionResult> | ExecutionResult> {
  if (operation === undefined) throw new AppError('INTERNAL_SERVER_ERROR', 'An operation was lost.');
  const span = operation.beginSpan();
  const source = await withinSpan(span, async () => createSourceEventStream(args));
  if (!(Symbol.asyncIterator in source)) return source;

  const iterator = source[Symbol.asyncIterator]();
  const end = async (): Promise<IteratorReturnResult<undefined>> => {
    // First of all: a generator that waits for a hint hears `return()` only after its next yield.
    operation.controller.abort(new AppError('CANCELED', 'The subscription has ended.'));
    await iterator.return?.();
    return { done: true, value: undefined };
  };
  const results: AsyncGenerator<ExecutionResult> = {
    async next() {
      const event = await iterator.next();
      if (event.done === true) return { done: true, value: undefined };
      const eventSpan = span?.follow('subscription event', 'internal');
      const value = await withinSpan(eventSpan, async () =>
        execute({ ...args, rootValue: event.value, contextValue: operation.newContext() }),
      );
      if (eventSpan?.recorded !== true) return { done: false, value };
      // What the router does with it belongs to the same trace.
      return { done: false, value: { ...value, extensions: { ...value.extensions, ...eventSpan.headers } } };
    },
    return: end,
    async throw(error) {
      await end();
      throw error;
    },
    [Symbol.asyncIterator]: () => results,
    async [Symbol.asyncDispose]() {
      await end();
    },
  };
  return results;
}

function parseDocument(query: string): DocumentNode {
  try {
    return parse(query);
  } catch (error) {
    throw error instanceof GraphQLError ? withCode(error, 'GRAPHQL_PARSE_FAILED') : error;
  }
}

function withCode(error: GraphQLError, code: ErrorCode): GraphQLError {
  const { message, nodes, source, positions } = error;
  return new GraphQLError(message, {
    nodes: nodes ?? null,
    source: source ?? null,
    positions: positions ?? null,
    extensions: { code },
  });
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
