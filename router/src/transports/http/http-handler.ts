import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { AppError, httpStatusOf } from '@timbre/platform/errors';
import type { ErrorCode } from '@timbre/platform/errors';
import { endAfterBody } from '@timbre/platform/http-body';
import { REQUEST_ID_HEADER } from '@timbre/platform/identity';
import type { Logger } from '@timbre/platform/logger';
import { requestIdFrom } from '@timbre/platform/request-id';
import { GraphQLError, OperationTypeNode } from 'graphql';
import type { Authenticate } from '../../auth/authenticator.ts';
import type { Engine } from '../../engine.ts';
import { internalError } from '../../execution/client-errors.ts';
import type { RouterMetrics } from '../../metrics.ts';
import { OperationRefused } from '../../operations/refusal.ts';
import { applyCors } from './cors.ts';
import type { CorsOptions } from './cors.ts';
import { preventCsrf } from './csrf.ts';
import { HttpRefusal } from './http-refusal.ts';
import { clientIdentityOf } from '../client-identity.ts';
import { resultsOf, startOperation } from '../results.ts';
import type { ResultStream } from '../results.ts';
import { GRAPHQL_RESPONSE, JSON_TYPE, negotiate, prefersHtml } from './media-types.ts';
import type { Accepted, ResponseType } from './media-types.ts';
import { readRequest } from './read-request.ts';
import { STREAM_FORMATS } from './stream-formats.ts';
import type { StreamType } from './stream-formats.ts';
import { streamResults } from './stream-results.ts';

export interface HttpHandlerOptions {
  engine: Engine;
  authenticate: Authenticate;
  log: Logger;
  metrics: RouterMetrics;
  maxBodyBytes: number;
  csrfPrevention: boolean;
  cors: CorsOptions | null;
  /** Answers a browser that opens the endpoint; null shows nothing. */
  landingPage: ((req: IncomingMessage) => string) | null;
  /** Between heartbeats of a stream. */
  keepAliveMs: number;
  /** How long the client of a stream may take nothing before it is cut. */
  slowMs: number;
}

export interface HttpHandler {
  handle: (req: IncomingMessage, res: ServerResponse) => Promise<void>;
  /** Ends subscriptions with an error; all else ends by itself. */
  drain: () => void;
}

/**
 * GraphQL over HTTP (graphql.github.io/graphql-over-http) at whatever path it is mounted. One response where the
 * client takes that; subscriptions, deferred parts and what only takes a stream come as one of `STREAM_FORMATS`.
 */
export function createHttpHandler(options: HttpHandlerOptions): HttpHandler {
  const { landingPage, cors, log } = options;
  const subscriptions = new Set<() => void>();

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const requestId = requestIdFrom(req.headers[REQUEST_ID_HEADER]);
    // Handed to writeHead at once: what is set one by one before costs a tenth of the response.
    const head: OutgoingHttpHeaders = { [REQUEST_ID_HEADER]: requestId, 'cache-control': 'no-store' };
    if (cors !== null && applyCors(req, res, head, cors)) return;
    const search = new URLSearchParams((req.url ?? '').split('?', 2)[1]);
    if (landingPage !== null && isNavigation(req, search)) {
      res.writeHead(200, { ...head, 'content-type': 'text/html; charset=utf-8' }).end(landingPage(req));
      return;
    }
    const accepted = negotiate(req.headers.accept);
    try {
      await answer(req, res, { options, search, requestId, head, accepted, subscriptions });
    } catch (error) {
      refuse(res, head, accepted.single ?? JSON_TYPE, asRefusal(error, requestId, log));
    }
  }

  return {
    handle,
    drain() {
      for (const leave of subscriptions) leave();
    },
  };
}

interface Exchange {
  options: HttpHandlerOptions;
  search: URLSearchParams;
  requestId: string;
  /** Of every response. */
  head: OutgoingHttpHeaders;
  accepted: Accepted;
  subscriptions: Set<() => void>;
}

async function answer(req: IncomingMessage, res: ServerResponse, exchange: Exchange): Promise<void> {
  const { options, search, requestId, head, accepted, subscriptions } = exchange;
  const { engine, metrics, csrfPrevention, log } = options;
  if (accepted.single === null && accepted.results === null && accepted.subscription === null) throw notAcceptable();
  if (csrfPrevention) preventCsrf(req);
  const request = await readRequest(req, search, options.maxBodyBytes);
  const principal = await authenticated(req, exchange);

  const started = performance.now();
  const count = (operation: string, outcome: 'ok' | 'errors' | 'refused') => {
    const seconds = (performance.now() - started) / 1000;
    metrics.operationDuration.observe({ transport: 'http', operation, outcome }, seconds);
    return seconds;
  };
  const gone = new AbortController();
  res.once('close', () => {
    if (!res.writableFinished) gone.abort();
  });
  const session = {
    principal,
    requestId,
    headers: req.headers,
    incremental: accepted.results !== null,
    transport: 'http' as const,
    address: req.socket.remoteAddress ?? null,
    client: clientIdentityOf(req.headers),
  };
  const stream = (type: StreamType, results: ResultStream) =>
    streamResults(res, results, {
      format: STREAM_FORMATS[type],
      keepAliveMs: options.keepAliveMs,
      slowMs: options.slowMs,
      head,
      leaving: type === accepted.subscription ? subscriptions : null,
      onFailure(error) {
        log.error({ err: error, requestId }, 'results could not be streamed');
        return internalError(requestId);
      },
    });
  try {
    const prepared = await engine.prepare(request, session);
    const operation = prepared.operation.operation;
    if (operation === OperationTypeNode.MUTATION && req.method === 'GET') {
      throw new HttpRefusal(405, 'METHOD_NOT_ALLOWED', 'A mutation needs POST.', { headers: { allow: 'POST' } });
    }
    if (operation === OperationTypeNode.SUBSCRIPTION) {
      if (accepted.subscription === null) throw subscriptionNeedsStream();
      await stream(accepted.subscription, await startOperation(prepared, session, { engine, metrics }));
      return;
    }
    if (accepted.single === null && accepted.results === null) throw notAcceptable();
    // What a client that left has started to change is brought to its end.
    const outcome = await engine.execute(
      prepared,
      operation === OperationTypeNode.QUERY ? { ...session, signal: gone.signal } : session,
    );
    if (outcome.headers !== undefined) Object.assign(head, outcome.headers);
    const seconds = count(operation, outcome.errors === undefined ? 'ok' : 'errors');
    log.debug({ requestId, operation, name: prepared.operation.name?.value, seconds }, 'answered');
    if (accepted.results !== null && (accepted.single === null || outcome.incremental !== undefined)) {
      await stream(accepted.results, resultsOf(outcome));
      return;
    }
    const { errors, data, extensions } = outcome;
    const body = errors === undefined ? { data, extensions } : { errors, data, extensions };
    send(res, 200, head, accepted.single ?? JSON_TYPE, body);
  } catch (error) {
    count('unknown', 'refused');
    if (!(error instanceof OperationRefused)) throw error;
    const { errors, response } = error;
    const body = response.extensions === undefined ? { errors } : { errors, extensions: response.extensions };
    const type = accepted.single;
    // Without data: 200 for those who know only application/json, an honest status for the others.
    const status = response.status ?? (type === JSON_TYPE ? 200 : 400);
    if (type !== null) send(res, status, { ...head, ...response.headers }, type, body);
    else await stream(accepted.results ?? accepted.subscription ?? 'sse', resultsOf(body));
  }
}

function notAcceptable(): HttpRefusal {
  return new HttpRefusal(
    406,
    'UNSUPPORTED_MEDIA_TYPE',
    `Responses are ${GRAPHQL_RESPONSE} or ${JSON_TYPE}, and streams text/event-stream or multipart/mixed.`,
  );
}

function subscriptionNeedsStream(): HttpRefusal {
  return new HttpRefusal(
    400,
    'BAD_REQUEST',
    'A subscription needs a stream: connect to this path with the websocket subprotocol graphql-transport-ws, or accept text/event-stream or multipart/mixed;subscriptionSpec=1.0.',
  );
}

async function authenticated(req: IncomingMessage, { options, requestId }: Exchange) {
  try {
    return await options.authenticate(req.headers.authorization, requestId);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    options.metrics.authFailures.inc({ code: error.code });
    const status = httpStatusOf(error.code);
    const challenge = `Bearer error="invalid_token", error_description="${error.message.replaceAll('"', "'")}"`;
    throw new HttpRefusal(status, error.code, error.message, {
      headers: status === 401 ? { 'www-authenticate': challenge } : {},
    });
  }
}

function isNavigation(req: IncomingMessage, search: URLSearchParams): boolean {
  return req.method === 'GET' && !search.has('query') && prefersHtml(req.headers.accept);
}

function asRefusal(error: unknown, requestId: string, log: Logger): HttpRefusal {
  if (error instanceof HttpRefusal) return error;
  if (error instanceof AppError) {
    const { code, message, details } = error;
    return new HttpRefusal(httpStatusOf(code), code, message, {
      headers: { connection: 'close' },
      ...(details && { details }),
    });
  }
  log.error({ err: error, requestId }, 'a request failed');
  const { message } = internalError(requestId);
  return new HttpRefusal(500, 'INTERNAL_SERVER_ERROR', message);
}

function refuse(res: ServerResponse, head: OutgoingHttpHeaders, type: ResponseType, refusal: HttpRefusal): void {
  if (res.headersSent || res.destroyed) {
    res.destroy();
    return;
  }
  const { code, details } = refusal;
  const extensions: { code: ErrorCode; details?: Readonly<Record<string, unknown>> } = { code };
  if (details !== undefined) extensions.details = details;
  send(res, refusal.status, { ...head, ...refusal.headers }, type, {
    errors: [new GraphQLError(refusal.message, { extensions })],
  });
}

function send(res: ServerResponse, status: number, head: OutgoingHttpHeaders, type: ResponseType, body: object): void {
  // As a string it goes out in one piece with the head; a buffer would be written beside it.
  const text = JSON.stringify(body);
  const length = Buffer.byteLength(text);
  res.writeHead(status, { ...head, 'content-type': `${type}; charset=utf-8`, 'content-length': length });
  endAfterBody(res, text);
}
