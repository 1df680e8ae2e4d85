import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { AppError, httpStatusOf } from '@timbre/platform/errors';
import type { ErrorCode } from '@timbre/platform/errors';
import { REQUEST_ID_HEADER } from '@timbre/platform/identity';
import type { Logger } from '@timbre/platform/logger';
import { requestIdFrom } from '@timbre/platform/request-id';
import { GraphQLError, OperationTypeNode } from 'graphql';
import type { Authenticate } from '../../auth/authenticator.ts';
import { headersWithCredentials } from '../../auth/presented-credential.ts';
import type { Engine, Session } from '../../engine.ts';
import { internalError } from '../../execution/client-errors.ts';
import type { RouterMetrics } from '../../metrics.ts';
import type { OperationRequest, PreparedOperation } from '../../operations/prepare-operation.ts';
import { OperationRefused } from '../../operations/refusal.ts';
import type { AccessLog } from '../access-log.ts';
import type { AddressOf } from '../caller-address.ts';
import { clientIdentityOf, isIdentified } from '../client-identity.ts';
import type { OperationEnd } from '../operation-end.ts';
import { responseOf, resultsOf, startOperation } from '../results.ts';
import type { ResultStream } from '../results.ts';
import type { CorsOptions } from './cors.ts';
import { isSimpleRequest, PREFLIGHT_HEADERS, preventCsrf } from './csrf.ts';
import { HttpRefusal } from './http-refusal.ts';
import { addHeaders, entityTagOf, hasIt, isKept, withoutCaller } from './kept-response.ts';
import { GRAPHQL_RESPONSE, JSON_TYPE, negotiate, prefersHtml } from './media-types.ts';
import type { Accepted, ResponseType } from './media-types.ts';
import { readRequest } from './read-request.ts';
import type { BatchingOptions } from './read-request.ts';
import { createResponseHeads } from './response-heads.ts';
import { runBatch } from './run-batch.ts';
import { sendCompressed, sendPlain } from './send.ts';
import type { Send } from './send.ts';
import { STREAM_FORMATS } from './stream-formats.ts';
import type { StreamType } from './stream-formats.ts';
import { streamResults } from './stream-results.ts';

export interface HttpHandlerOptions {
  engine: Engine;
  authenticate: Authenticate;
  log: Logger;
  metrics: RouterMetrics;
  /** For requests that become no operation; those that do are told to `metrics`. */
  accessLog: AccessLog | null;
  maxBodyBytes: number;
  addressOf: AddressOf;
  /** Requests of clients that do not say their name and version are refused. */
  requireClient: boolean;
  batching: BatchingOptions | null;
  /** Of large JSON answers. */
  compression: boolean;
  /** Headers of which a request has one where a foreign page could have sent it; null: such requests are taken. */
  csrfHeaders: readonly string[] | null;
  cors: CorsOptions | null;
  /** Clients come by https only. */
  https: boolean;
  /** Answers a browser that opens the endpoint; null shows nothing. */
  landingPage: ((req: IncomingMessage) => string) | null;
  /** Between heartbeats of a stream. */
  keepAliveMs: number;
  /** How long the client of a stream may take nothing before it is cut. */
  slowMs: number;
  /** Takes what ends each open subscription, with an error; all else ends by itself. */
  subscriptions: Set<() => void>;
}

export type HttpHandler = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

/**
 * GraphQL over HTTP (graphql.github.io/graphql-over-http) at whatever path it is mounted. One response where the
 * client takes that; subscriptions, deferred parts and what only takes a stream come as one of `STREAM_FORMATS`.
 *
 * @throws TypeError for a CORS policy that is none
 */
export function createHttpHandler(options: HttpHandlerOptions): HttpHandler {
  const { landingPage, cors, https, compression, accessLog, log } = options;
  const heads = createResponseHeads({ cors, https, compresses: compression });
  const send = compression ? sendCompressed : sendPlain;

  return async (req, res) => {
    const requestId = requestIdFrom(req.headers[REQUEST_ID_HEADER]);
    if (req.method === 'OPTIONS' && cors !== null) {
      res.writeHead(204, heads.preflight(req, requestId)).end();
      return;
    }
    const head = heads.of(req, requestId);
    const search = new URLSearchParams((req.url ?? '').split('?', 2)[1]);
    if (landingPage !== null && isNavigation(req, search)) {
      res.writeHead(200, { ...head, ...heads.page, 'content-type': 'text/html; charset=utf-8' }).end(landingPage(req));
      return;
    }
    const accepted = negotiate(req.headers.accept);
    const exchange = { options, req, res, search, requestId, head, accepted, send, isObserved: false };
    try {
      await answer(exchange);
    } catch (error) {
      const refusal = asRefusal(error, requestId, log);
      if (!exchange.isObserved) accessLog?.refusal(refusal, { requestId, client: clientIdentityOf(req.headers) });
      refuse(res, head, accepted.single ?? JSON_TYPE, refusal);
    }
  };
}

interface Exchange {
  options: HttpHandlerOptions;
  req: IncomingMessage;
  res: ServerResponse;
  search: URLSearchParams;
  requestId: string;
  /** Of every response. */
  head: OutgoingHttpHeaders;
  accepted: Accepted;
  send: Send;
  /** What became of it has been told. */
  isObserved: boolean;
}

async function answer(exchange: Exchange): Promise<void> {
  const { options, req, res, search, requestId, accepted } = exchange;
  const { csrfHeaders } = options;
  if (accepted.single === null && accepted.results === null && accepted.subscription === null) throw notAcceptable();
  if (csrfHeaders !== null) preventCsrf(req.headers, csrfHeaders);
  const client = clientIdentityOf(req.headers);
  if (options.requireClient && !isIdentified(client)) throw clientNotIdentified();
  const request = await readRequest(req, search, options);
  const session: Session = {
    principal: await authenticated(exchange),
    requestId,
    headers: req.headers,
    incremental: accepted.results !== null,
    transport: 'http',
    address: options.addressOf(req),
    client,
  };
  const gone = new AbortController();
  res.once('close', () => {
    if (!res.writableFinished) gone.abort();
  });
  if (Array.isArray(request)) await answerBatch(request, { ...session, incremental: false }, gone.signal, exchange);
  else await answerOperation(request, session, gone.signal, exchange);
}

async function answerBatch(
  requests: readonly OperationRequest[],
  session: Session,
  gone: AbortSignal,
  exchange: Exchange,
): Promise<void> {
  const { options, res, head, accepted, send, requestId } = exchange;
  if (accepted.single === null) throw notAcceptable();
  const { engine, log } = options;
  const { text, headers } = await runBatch(requests, session, {
    engine,
    gone,
    onEnd: (end) => observe(end, exchange),
    onFailure: (error) => log.error({ err: error, requestId }, 'an operation of a batch failed'),
  });
  // Whatever each of them is answered; an array is no GraphQL response.
  await send(res, { status: 200, type: JSON_TYPE, head: { ...head, ...headers }, text });
}

async function answerOperation(
  request: OperationRequest,
  session: Session,
  gone: AbortSignal,
  exchange: Exchange,
): Promise<void> {
  const { options, req, res, head, accepted, send } = exchange;
  const { engine, metrics } = options;
  const started = performance.now();
  let prepared: PreparedOperation | null = null;
  try {
    prepared = await engine.prepare(request, session);
    const { operation } = prepared.operation;
    if (operation === OperationTypeNode.MUTATION && req.method === 'GET') {
      throw new HttpRefusal(405, 'METHOD_NOT_ALLOWED', 'A mutation needs POST.', { headers: { allow: 'POST' } });
    }
    if (operation === OperationTypeNode.SUBSCRIPTION) {
      if (accepted.subscription === null) throw subscriptionNeedsStream();
      await stream(
        exchange,
        accepted.subscription,
        await startOperation(prepared, session, { engine, metrics, started }),
      );
      return;
    }
    if (accepted.single === null && accepted.results === null) throw notAcceptable();
    // What a client that left has started to change is brought to its end.
    const outcome = await engine.execute(
      prepared,
      operation === OperationTypeNode.QUERY ? { ...session, signal: gone } : session,
    );
    const { errors } = outcome;
    addHeaders(head, outcome);
    const ended = errors === undefined ? 'ok' : 'errors';
    const end = { session, prepared, started, outcome: ended, errors, cost: outcome.cost?.total } as const;
    if (accepted.results !== null && (accepted.single === null || outcome.incremental !== undefined)) {
      observe(end, exchange);
      await stream(exchange, accepted.results, resultsOf(outcome));
      return;
    }
    const type = accepted.single ?? JSON_TYPE;
    const kept = req.method === 'GET' && isKept(head);
    const text = JSON.stringify(responseOf(kept ? withoutCaller(head, outcome) : outcome));
    const sent = kept
      ? await sendKept(exchange, type, text)
      : { status: 200, bytes: await send(res, { status: 200, head, type, text }) };
    observe({ ...end, ...sent }, exchange);
  } catch (error) {
    const end = { session, prepared, started, outcome: 'refused', errors: errorsOf(error) } as const;
    if (!(error instanceof OperationRefused)) {
      observe(error instanceof HttpRefusal ? { ...end, status: error.status } : end, exchange);
      throw error;
    }
    const { errors, response } = error;
    const type = accepted.single;
    const body = { errors, extensions: response.extensions };
    if (type === null) {
      observe({ ...end, status: 200 }, exchange);
      await stream(exchange, accepted.results ?? accepted.subscription ?? 'sse', resultsOf(body));
      return;
    }
    // Without data: 200 for those who know only application/json, an honest status for the others.
    const status = response.status ?? (type === JSON_TYPE ? 200 : 400);
    const text = JSON.stringify(responseOf(body));
    const bytes = await send(res, { status, head: { ...head, ...response.headers }, type, text });
    observe({ ...end, status, bytes }, exchange);
  }
}

/** Without those that should not happen: they are told of where they are caught. */
function errorsOf(error: unknown): readonly GraphQLError[] | undefined {
  if (error instanceof OperationRefused) return error.errors;
  if (!(error instanceof HttpRefusal)) return undefined;
  return [new GraphQLError(error.message, { extensions: { code: error.code } })];
}

/** With an entity tag, by which it need not be sent again. */
async function sendKept({ req, res, head, send }: Exchange, type: ResponseType, text: string) {
  const entityTag = entityTagOf(type, text);
  if (!hasIt(req, entityTag)) {
    return { status: 200, bytes: await send(res, { status: 200, head, type, text, entityTag }) };
  }
  res.writeHead(304, { ...head, etag: `"${entityTag}"` }).end();
  return { status: 304, bytes: 0 };
}

function observe(end: OperationEnd, exchange: Exchange): void {
  const { metrics, log } = exchange.options;
  exchange.isObserved = true;
  const seconds = metrics.operations.ended(end);
  const { operation, name } = end.prepared?.operation ?? {};
  log.debug({ requestId: end.session.requestId, operation, name: name?.value, seconds }, 'answered');
}

function stream({ options, res, head, accepted, requestId }: Exchange, type: StreamType, results: ResultStream) {
  const { keepAliveMs, slowMs, log, subscriptions } = options;
  return streamResults(res, results, {
    format: STREAM_FORMATS[type],
    keepAliveMs,
    slowMs,
    head,
    leaving: type === accepted.subscription ? subscriptions : null,
    onFailure(error) {
      log.error({ err: error, requestId }, 'results could not be streamed');
      return internalError(requestId);
    },
  });
}

function notAcceptable(): HttpRefusal {
  return new HttpRefusal(
    406,
    'UNSUPPORTED_MEDIA_TYPE',
    `Responses are ${GRAPHQL_RESPONSE} or ${JSON_TYPE}, and streams text/event-stream or multipart/mixed.`,
  );
}

function clientNotIdentified(): HttpRefusal {
  return new HttpRefusal(
    400,
    'CLIENT_NOT_IDENTIFIED',
    'Send the headers apollographql-client-name and apollographql-client-version (or graphql-client-…), of letters, digits and " ._/:+()~@-", at most 100 each.',
  );
}

function subscriptionNeedsStream(): HttpRefusal {
  return new HttpRefusal(
    400,
    'BAD_REQUEST',
    'A subscription needs a stream: connect to this path with the websocket subprotocol graphql-transport-ws, or accept text/event-stream or multipart/mixed;subscriptionSpec=1.0.',
  );
}

async function authenticated({ options, req, requestId }: Exchange) {
  try {
    return await options.authenticate({
      headers: headersWithCredentials(req),
      requestId,
      mayBeForeign: () => isSimpleRequest(req.headers, options.csrfHeaders ?? PREFLIGHT_HEADERS),
    });
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
  const { status, code, message, details } = refusal;
  const extensions: { code: ErrorCode; details?: Readonly<Record<string, unknown>> } = { code };
  if (details !== undefined) extensions.details = details;
  const text = JSON.stringify({ errors: [new GraphQLError(message, { extensions })] });
  sendPlain(res, { status, type, head: { ...head, ...refusal.headers }, text });
}
