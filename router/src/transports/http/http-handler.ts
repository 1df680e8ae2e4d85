import type { IncomingMessage, ServerResponse } from 'node:http';
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
import { GRAPHQL_RESPONSE, JSON_TYPE, negotiate, prefersHtml } from './media-types.ts';
import type { ResponseType } from './media-types.ts';
import { readRequest } from './read-request.ts';

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
}

export type HttpHandler = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

/** GraphQL over HTTP (graphql.github.io/graphql-over-http) at whatever path it is mounted. */
export function createHttpHandler(options: HttpHandlerOptions): HttpHandler {
  const { landingPage, cors, log } = options;
  return async (req, res) => {
    const requestId = requestIdFrom(req.headers[REQUEST_ID_HEADER]);
    res.setHeader(REQUEST_ID_HEADER, requestId);
    res.setHeader('cache-control', 'no-store');
    if (cors !== null && applyCors(req, res, cors)) return;
    const search = new URLSearchParams((req.url ?? '').split('?', 2)[1]);
    if (landingPage !== null && isNavigation(req, search)) {
      res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(landingPage(req));
      return;
    }
    const type = negotiate(req.headers.accept);
    try {
      await answer(req, res, { options, search, requestId, type });
    } catch (error) {
      refuse(res, type ?? JSON_TYPE, asRefusal(error, requestId, log));
    }
  };
}

interface Exchange {
  options: HttpHandlerOptions;
  search: URLSearchParams;
  requestId: string;
  type: ResponseType | null;
}

async function answer(req: IncomingMessage, res: ServerResponse, exchange: Exchange): Promise<void> {
  const { options, search, requestId, type } = exchange;
  const { engine, metrics, csrfPrevention, log } = options;
  if (type === null) {
    throw new HttpRefusal(406, 'UNSUPPORTED_MEDIA_TYPE', `Responses are ${GRAPHQL_RESPONSE} or ${JSON_TYPE}.`);
  }
  if (csrfPrevention) preventCsrf(req);
  const request = await readRequest(req, search, options.maxBodyBytes);
  const principal = await authenticated(req, exchange);

  const stop = metrics.operationDuration.startTimer({ transport: 'http' });
  const gone = new AbortController();
  res.once('close', () => {
    if (!res.writableFinished) gone.abort();
  });
  const session = { principal, requestId, headers: req.headers };
  try {
    const prepared = await engine.prepare(request, session);
    const operation = prepared.operation.operation;
    if (operation === OperationTypeNode.MUTATION && req.method === 'GET') {
      throw new HttpRefusal(405, 'METHOD_NOT_ALLOWED', 'A mutation needs POST.', { headers: { allow: 'POST' } });
    }
    if (operation === OperationTypeNode.SUBSCRIPTION) {
      throw new HttpRefusal(
        400,
        'BAD_REQUEST',
        'A subscription needs a websocket: connect to this path with the subprotocol graphql-transport-ws.',
      );
    }
    // What a client that left has started to change is brought to its end.
    const outcome = await engine.execute(
      prepared,
      operation === OperationTypeNode.QUERY ? { ...session, signal: gone.signal } : session,
    );
    const seconds = stop({ operation, outcome: outcome.errors === undefined ? 'ok' : 'errors' });
    log.debug({ requestId, operation, name: prepared.operation.name?.value, seconds }, 'answered');
    const { errors, data } = outcome;
    send(res, 200, type, errors === undefined ? { data } : { errors, data });
  } catch (error) {
    stop({ operation: 'unknown', outcome: 'refused' });
    if (!(error instanceof OperationRefused)) throw error;
    // Without data: 200 for those who know only application/json, an honest status for the others.
    send(res, type === JSON_TYPE ? 200 : 400, type, { errors: error.errors });
  }
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

function refuse(res: ServerResponse, type: ResponseType, refusal: HttpRefusal): void {
  if (res.headersSent || res.destroyed) {
    res.destroy();
    return;
  }
  for (const [name, value] of Object.entries(refusal.headers)) res.setHeader(name, value);
  const { code, details } = refusal;
  const extensions: { code: ErrorCode; details?: Readonly<Record<string, unknown>> } = { code };
  if (details !== undefined) extensions.details = details;
  send(res, refusal.status, type, { errors: [new GraphQLError(refusal.message, { extensions })] });
}

function send(res: ServerResponse, status: number, type: ResponseType, body: object): void {
  const text = Buffer.from(JSON.stringify(body));
  res.writeHead(status, { 'content-type': `${type}; charset=utf-8`, 'content-length': text.length });
  endAfterBody(res, text);
}
