import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApolloServer, HeaderMap } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import type { GraphQLSchema } from 'graphql';
import { AppError, httpStatusOf, isAppError } from '../errors.ts';
import { maskError } from '../graphql-errors.ts';
import { readJson, sendJson } from '../http-body.ts';
import { IDENTITY_HEADER, REQUEST_ID_HEADER } from '../identity.ts';
import type { IdentityVerifier } from '../identity.ts';
import type { Logger } from '../logger.ts';
import { requestIdFrom } from '../request-id.ts';
import { withinSpan } from '../telemetry/current-span.ts';
import type { Span, Tracing } from '../telemetry/tracing.ts';
import { operationAttributes } from './operation-span.ts';
import { createCacheHints } from './cache-hints.ts';
import { CachingLimit } from './caching-limit.ts';
import { requestScope } from './request-context.ts';
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

/** GraphQL over HTTP for the router: a POST of JSON with a signed identity. */
export async function createHttpEndpoint<Context extends RequestContext>(
  options: HttpEndpointOptions<Context>,
): Promise<HttpEndpoint> {
  const { log, tracing } = options;
  const apollo = new ApolloServer<Context>({
    schema: options.schema,
    // Composition reads files; nobody else has a reason to ask a subgraph.
    introspection: false,
    // Only the router gets here, by a header that no browser sends.
    csrfPrevention: false,
    persistedQueries: false,
    stopOnTerminationSignals: false,
    includeStacktraceInErrorResponses: false,
    logger: log,
    formatError: (_formatted, error) =>
      maskError(error, requestScope.getStore() ?? { requestId: requestIdFrom(undefined), log }),
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      createCacheHints(options.schema),
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
    ],
  });
  await apollo.start();

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
    const requestLog = log.child({ requestId });
    res.setHeader(REQUEST_ID_HEADER, requestId);
    await requestScope.run({ requestId, log: requestLog }, async () => {
      try {
        const identity = options.verifyIdentity(headerOf(req, IDENTITY_HEADER));
        if (req.method !== 'POST') throw new AppError('METHOD_NOT_ALLOWED', 'Use POST.');
        const body = await readJson(req, options.maxBodyBytes);
        if (span?.recorded === true) span.set(operationAttributes(body));
        const signal = abortedWith(res);
        const response = await apollo.executeHTTPGraphQLRequest({
          httpGraphQLRequest: { method: req.method, headers: headersOf(req), search: '', body },
          context: async () =>
            options.createContext({ identity, requestId, log: requestLog, signal, caching: new CachingLimit() }),
        });
        for (const [name, value] of response.headers) res.setHeader(name, value);
        res.statusCode = response.status ?? 200;
        if (response.body.kind === 'complete') {
          res.end(response.body.string);
          return;
        }
        for await (const part of response.body.asyncIterator) res.write(part);
        res.end();
      } catch (error) {
        if (res.headersSent || res.destroyed) {
          res.destroy();
          return;
        }
        const status = isAppError(error) ? httpStatusOf(error.code) : 500;
        sendJson(res, status, { errors: [maskError(error, { requestId, log: requestLog })] });
      }
    });
  }

  return { handle, stop: () => apollo.stop() };
}

function headerOf(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? undefined : value;
}

function headersOf(req: IncomingMessage): HeaderMap {
  const headers = new HeaderMap();
  for (const [name, value] of Object.entries(req.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return headers;
}

function abortedWith(res: ServerResponse): AbortSignal {
  const controller = new AbortController();
  res.once('close', () => {
    if (!res.writableFinished) controller.abort(new AppError('CANCELED', 'The client went away.'));
  });
  return controller.signal;
}
