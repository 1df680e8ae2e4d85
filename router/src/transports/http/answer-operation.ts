import { GraphQLError, OperationTypeNode } from 'graphql';
import type { Session } from '../../engine.ts';
import { internalError } from '../../execution/client-errors.ts';
import type { PreparedOperation } from '../../operations/prepare-operation.ts';
import { OperationRefused } from '../../operations/refusal.ts';
import type { Departure } from '../../subgraphs/subgraph-transport.ts';
import { responseOf, resultsOf, startOperation } from '../results.ts';
import type { ResultStream } from '../results.ts';
import { observe } from './http-exchange.ts';
import type { Exchange } from './http-exchange.ts';
import { HttpRefusal } from './http-refusal.ts';
import { addHeaders, entityTagOf, hasIt, isKept, withoutCaller } from './kept-response.ts';
import { JSON_TYPE, notAcceptable } from './media-types.ts';
import type { ResponseType } from './media-types.ts';
import { STREAM_FORMATS } from './stream-formats.ts';
import type { StreamType } from './stream-formats.ts';
import { streamResults } from './stream-results.ts';

/**
 * Runs one operation and sends what becomes of it.
 *
 * @throws HttpRefusal, and what should not happen
 */
export async function answerOperation(
  { preparing, started }: { preparing: Promise<PreparedOperation>; started: number },
  session: Session,
  gone: Departure,
  exchange: Exchange,
): Promise<void> {
  const { options, req, res, head, accepted, send } = exchange;
  const { engine, metrics } = options;
  let prepared: PreparedOperation | null = null;
  try {
    prepared = await preparing;
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

function subscriptionNeedsStream(): HttpRefusal {
  return new HttpRefusal(
    400,
    'BAD_REQUEST',
    'A subscription needs a stream: connect to this path with the websocket subprotocol graphql-transport-ws, or accept text/event-stream or multipart/mixed;subscriptionSpec=1.0.',
  );
}
