import { IDENTITY_HEADER, REQUEST_ID_HEADER } from '@timbre/platform/identity';
import { errors, Pool } from 'undici';
import type { Dispatcher } from 'undici';
import { z } from 'zod';
import { SubgraphFailure } from './subgraph-transport.ts';
import type { CallContext, SubgraphRequest, SubgraphResponse, SubgraphTransport } from './subgraph-transport.ts';

export interface HttpTransportOptions {
  /** Sockets to one subgraph; default 64. */
  connections?: number;
  connectTimeoutMs?: number;
  /** Until the first byte of the answer. */
  headersTimeoutMs?: number;
  /** For the whole call. */
  timeoutMs?: number;
  maxResponseBytes?: number;
}

const responseSchema = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z
    .array(
      z.object({
        message: z.string(),
        path: z.array(z.union([z.string(), z.number()])).nullish(),
        extensions: z.record(z.string(), z.unknown()).nullish(),
      }),
    )
    .nullish(),
});

/** GraphQL over HTTP to one subgraph on a pool of keep-alive connections. */
export function createHttpTransport(
  subgraph: { name: string; url: string },
  options: HttpTransportOptions = {},
): SubgraphTransport {
  const { connections = 64, connectTimeoutMs = 2_000, headersTimeoutMs = 20_000, timeoutMs = 30_000 } = options;
  const maxBytes = options.maxResponseBytes ?? 32 * 1024 * 1024;
  const url = new URL(subgraph.url);
  const pool = new Pool(url.origin, {
    connections,
    connect: { timeout: connectTimeoutMs },
    headersTimeout: headersTimeoutMs,
    bodyTimeout: headersTimeoutMs,
    maxResponseSize: maxBytes,
  });
  const path = url.pathname + url.search;

  function post(request: SubgraphRequest, context: CallContext, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const identity = context.identity();
    return pool.request({
      method: 'POST',
      path,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        [REQUEST_ID_HEADER]: context.requestId,
        ...(identity === null ? {} : { [IDENTITY_HEADER]: identity }),
        ...context.headers,
      },
      body: JSON.stringify({
        query: request.operation.query,
        operationName: request.operation.operationName,
        variables: request.variables,
      }),
      signal,
    });
  }

  return {
    async call(request, context) {
      // By hand: AbortSignal.timeout and AbortSignal.any would outlive thousands of finished calls.
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(new DOMException('Timed out', 'TimeoutError')), timeoutMs);
      const cancel = () => controller.abort(new DOMException('Canceled', 'AbortError'));
      context.signal?.addEventListener('abort', cancel, { once: true });
      if (context.signal?.aborted === true) cancel();
      try {
        const response = await post(request, context, controller.signal);
        return read(subgraph.name, response.statusCode, await response.body.text());
      } catch (error) {
        throw error instanceof SubgraphFailure ? error : failureOf(subgraph.name, error, maxBytes);
      } finally {
        clearTimeout(timer);
        context.signal?.removeEventListener('abort', cancel);
      }
    },
    close: () => pool.destroy(),
  };
}

function read(name: string, status: number, text: string): SubgraphResponse {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new SubgraphFailure(name, 'SUBGRAPH_UNAVAILABLE', `answered ${status} without JSON`, error);
  }
  const parsed = responseSchema.safeParse(json);
  if (!parsed.success || (parsed.data.data === undefined && parsed.data.errors === undefined)) {
    throw new SubgraphFailure(name, 'SUBGRAPH_UNAVAILABLE', `answered ${status} without a GraphQL response`);
  }
  return toResponse(parsed.data);
}

/** A GraphQL response as a subgraph sent it over HTTP or in an event, checked for its form. */
export function parseSubgraphResponse(name: string, value: unknown): SubgraphResponse {
  const parsed = responseSchema.safeParse(value);
  if (!parsed.success) throw new SubgraphFailure(name, 'SUBGRAPH_UNAVAILABLE', 'sent no GraphQL response');
  return toResponse(parsed.data);
}

function toResponse({ data, errors: reported }: z.output<typeof responseSchema>): SubgraphResponse {
  if (!reported || reported.length === 0) return { data };
  return {
    data,
    errors: reported.map(({ message, path, extensions }) => ({
      message,
      ...(path ? { path } : {}),
      ...(extensions ? { extensions } : {}),
    })),
  };
}

function failureOf(name: string, error: unknown, maxBytes: number): SubgraphFailure {
  if (error instanceof errors.ResponseExceededMaxSizeError) {
    return new SubgraphFailure(name, 'SUBGRAPH_UNAVAILABLE', `answered with more than ${maxBytes} bytes`, error);
  }
  if (
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError ||
    (error instanceof DOMException && error.name === 'TimeoutError')
  ) {
    return new SubgraphFailure(name, 'TIMEOUT', 'did not answer in time', error);
  }
  if (error instanceof DOMException && error.name === 'AbortError') {
    return new SubgraphFailure(name, 'CANCELED', 'was not waited for: the client has gone', error);
  }
  return new SubgraphFailure(name, 'SUBGRAPH_UNAVAILABLE', 'cannot be reached', error);
}
