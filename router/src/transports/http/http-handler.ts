import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { endOfTurn } from '@timbre/platform/end-of-turn';
import { AppError, httpStatusOf } from '@timbre/platform/errors';
import type { ErrorCode } from '@timbre/platform/errors';
import { REQUEST_ID_HEADER } from '@timbre/platform/identity';
import type { Logger } from '@timbre/platform/logger';
import { requestIdFrom } from '@timbre/platform/request-id';
import { GraphQLError } from 'graphql';
import { headersWithCredentials } from '../../auth/presented-credential.ts';
import type { Principal } from '../../auth/principal.ts';
import type { Session } from '../../engine.ts';
import { internalError } from '../../execution/client-errors.ts';
import type { OperationRequest } from '../../operations/prepare-operation.ts';
import type { Departure } from '../../subgraphs/subgraph-transport.ts';
import { OVERLOADED } from '../../limits/admission.ts';
import { clientIdentityOf, isIdentified } from '../client-identity.ts';
import { answerOperation } from './answer-operation.ts';
import { isSimpleRequest, PREFLIGHT_HEADERS, preventCsrf } from './csrf.ts';
import { ClientDeparture, observe } from './http-exchange.ts';
import type { Exchange, HttpHandlerOptions } from './http-exchange.ts';
import { HttpRefusal } from './http-refusal.ts';
import { JSON_TYPE, negotiate, notAcceptable, prefersHtml } from './media-types.ts';
import type { ResponseType } from './media-types.ts';
import { readRequest } from './read-request.ts';
import { createResponseHeads } from './response-heads.ts';
import { runBatch } from './run-batch.ts';
import { sendCompressed, sendPlain } from './send.ts';

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
    const search = searchOf(req);
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

async function answer(exchange: Exchange): Promise<void> {
  const { options, req, res, search, requestId, accepted } = exchange;
  // Before anything that takes longer than to say so.
  if (options.admission.isOverloaded) {
    options.metrics.operations.refused(OVERLOADED.code);
    throw new HttpRefusal(OVERLOADED.status, OVERLOADED.code, OVERLOADED.message, OVERLOADED);
  }
  const { csrfHeaders } = options;
  if (accepted.single === null && accepted.results === null && accepted.subscription === null) throw notAcceptable();
  if (csrfHeaders !== null) preventCsrf(req.headers, csrfHeaders);
  const client = clientIdentityOf(req.headers);
  if (options.requireClient && !isIdentified(client)) throw clientNotIdentified();
  const request = await readRequest(req, search, options);
  const started = performance.now();
  await endOfTurn();
  const known = authenticated(exchange);
  const session: Session = {
    principal: known instanceof Promise ? await known : known,
    requestId,
    headers: req.headers,
    incremental: accepted.results !== null,
    transport: 'http',
    address: options.addressOf(req),
    client,
  };
  const gone = new ClientDeparture(res);
  if (Array.isArray(request)) {
    await answerBatch(request, { ...session, incremental: false }, gone, exchange);
    return;
  }
  const preparing = options.engine.prepare(request, session);
  // Not waited for here, where the request would stay for as long as a stream is open.
  return answerOperation({ preparing, started }, session, gone, exchange);
}

async function answerBatch(
  requests: readonly OperationRequest[],
  session: Session,
  gone: Departure,
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

function clientNotIdentified(): HttpRefusal {
  return new HttpRefusal(
    400,
    'CLIENT_NOT_IDENTIFIED',
    'Send the headers apollographql-client-name and apollographql-client-version (or graphql-client-…), of letters, digits and " ._/:+()~@-", at most 100 each.',
  );
}

/** @throws HttpRefusal, also later */
function authenticated({ options, req, requestId }: Exchange): Principal | Promise<Principal> {
  const refused = (error: unknown): unknown => {
    if (!(error instanceof AppError)) return error;
    options.metrics.authFailures.inc({ code: error.code });
    const status = httpStatusOf(error.code);
    const challenge = `Bearer error="invalid_token", error_description="${error.message.replaceAll('"', "'")}"`;
    return new HttpRefusal(status, error.code, error.message, {
      headers: status === 401 ? { 'www-authenticate': challenge } : {},
    });
  };
  try {
    const principal = options.authenticate({
      headers: headersWithCredentials(req),
      requestId,
      mayBeForeign: () => isSimpleRequest(req.headers, options.csrfHeaders ?? PREFLIGHT_HEADERS),
    });
    if (!(principal instanceof Promise)) return principal;
    return principal.catch((error: unknown) => {
      throw refused(error);
    });
  } catch (error) {
    throw refused(error);
  }
}

const NO_SEARCH = new URLSearchParams();

function searchOf({ url = '' }: IncomingMessage): URLSearchParams {
  return url.includes('?') ? new URLSearchParams(url.split('?', 2)[1]) : NO_SEARCH;
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
