import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLSchema } from 'graphql';
import { AppError, httpStatusOf, isAppError } from '../errors.ts';
import { maskError } from '../graphql-errors.ts';
import type { MaskOptions } from '../graphql-errors.ts';
import { readJson, sendJson } from '../http-body.ts';
import { IDENTITY_HEADER, REQUEST_ID_HEADER } from '../identity.ts';
import type { IdentityVerifier } from '../identity.ts';
import type { Logger } from '../logger.ts';
import { requestIdFrom } from '../request-id.ts';
import { withinSpan } from '../telemetry/current-span.ts';
import type { Span, Tracing } from '../telemetry/tracing.ts';
import { createApolloAnswers } from './apollo-answers.ts';
import { createCacheHints } from './cache-hints.ts';
import { CachingLimit } from './caching-limit.ts';
import { executeKnown } from './execute-known.ts';
import { KnownOperations } from './known-operations.ts';
import { operationAttributes } from './operation-span.ts';
import type { RequestContext } from './request-context.ts';

export interface HttpEndpointOptions<Context extends RequestContext> {
  schema: GraphQLSchema;
  createContext: (base: RequestContext) => Context;
  verifyIdentity: IdentityVerifier;
  log: Logger;
  tracing: Tracing | null;
  maxBodyBytes: number;
}

export interface HttpEndpoint {
  handle(req: IncomingMessage, res: ServerResponse): Promise<void>;
  stop(): Promise<void>;
}

/** What the router asks for, in the forms that it is content with when it knows no better. */
const PLAIN_ACCEPTS: ReadonlySet<string | undefined> = new Set(['application/json', '*/*', undefined]);

/**
 * GraphQL over HTTP for the router: a POST of JSON with a signed identity. Apollo Server answers an operation's first
 * request, and whatever is out of the ordinary; what it has found valid is executed without it from then on.
 */
export async function createHttpEndpoint<Context extends RequestContext>(
  options: HttpEndpointOptions<Context>,
): Promise<HttpEndpoint> {
  const { schema, log, tracing } = options;
  const executable = { schema, hints: createCacheHints(schema) };
  const known = new KnownOperations();
  const apollo = await createApolloAnswers<Context>({ ...executable, plugin: known.plugin(), log });

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (tracing === null) return answer(req, res);
    const span = tracing.serve('GraphQL Operation', 'server', req.headers);
    return withinSpan(span, async () => {
      await answer(req, res, span);
      span.set({ 'http.response.status_code': res.statusCode });
      if (res.statusCode >= 500) span.fail(`answered ${res.statusCode}`);
    });
  }

  async function answer(req: IncomingMessage, res: ServerResponse, span?: Span): Promise<void> {
    const requestId = requestIdFrom(req.headers[REQUEST_ID_HEADER]);
    const scope = scopeOf(requestId, log);
    try {
      const identity = options.verifyIdentity(headerOf(req, IDENTITY_HEADER));
      if (req.method !== 'POST') throw new AppError('METHOD_NOT_ALLOWED', 'Use POST.');
      const body = await readJson(req, options.maxBodyBytes);
      if (span?.recorded === true) span.set(operationAttributes(body));
      const more = { identity, signal: abortedWith(res), caching: new CachingLimit() };
      const context = options.createContext(Object.assign(scope, more));
      const request = PLAIN_ACCEPTS.has(req.headers.accept) ? known.find(body) : null;
      const { status, headers, text } =
        request === null
          ? await apollo.answer(body, req.headers, context)
          : await executeKnown(executable, request, context);
      headers.push(REQUEST_ID_HEADER, requestId, 'content-length', String(Buffer.byteLength(text)));
      res.writeHead(status, headers).end(text);
    } catch (error) {
      if (res.headersSent || res.destroyed) {
        res.destroy();
        return;
      }
      const status = isAppError(error) ? httpStatusOf(error.code) : 500;
      sendJson(res, status, { errors: [maskError(error, scope)] }, { [REQUEST_ID_HEADER]: requestId });
    }
  }

  return { handle, stop: () => apollo.stop() };
}

/** A logger of a request's own takes a while to make, and most requests have nothing to say. */
function scopeOf(requestId: string, log: Logger): MaskOptions {
  let own: Logger | undefined;
  return {
    requestId,
    get log() {
      own ??= log.child({ requestId });
      return own;
    },
  };
}

function headerOf(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? undefined : value;
}

function abortedWith(res: ServerResponse): AbortSignal {
  const controller = new AbortController();
  res.once('close', () => {
    if (!res.writableFinished) controller.abort(new AppError('CANCELED', 'The client went away.'));
  });
  return controller.signal;
}
