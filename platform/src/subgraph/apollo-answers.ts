import type { IncomingHttpHeaders } from 'node:http';
import { ApolloServer, HeaderMap } from '@apollo/server';
import type { ApolloServerPlugin } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import type { GraphQLSchema } from 'graphql';
import { maskError } from '../graphql-errors.ts';
import type { Logger } from '../logger.ts';
import { requestIdFrom } from '../request-id.ts';
import type { CacheHints } from './cache-hints.ts';
import type { Answer } from './execute-known.ts';
import { requestScope } from './request-context.ts';
import type { RequestContext } from './request-context.ts';

export interface ApolloOptions {
  schema: GraphQLSchema;
  hints: CacheHints;
  /** Beside the one that sets `Cache-Control`. */
  plugin: ApolloServerPlugin<RequestContext>;
  log: Logger;
}

export interface ApolloAnswers<Context> {
  answer(body: unknown, headers: IncomingHttpHeaders, context: Context): Promise<Answer>;
  stop(): Promise<void>;
}

/** GraphQL over HTTP by Apollo Server, with errors as they are everywhere. */
export async function createApolloAnswers<Context extends RequestContext>(
  options: ApolloOptions,
): Promise<ApolloAnswers<Context>> {
  const { schema, hints, log } = options;
  const apollo = new ApolloServer<Context>({
    schema,
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
      sayHints(hints),
      options.plugin,
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
    ],
  });
  await apollo.start();

  return {
    async answer(body, headers, context) {
      const response = await requestScope.run(context, () =>
        apollo.executeHTTPGraphQLRequest({
          httpGraphQLRequest: { method: 'POST', headers: headerMapOf(headers), search: '', body },
          context: async () => context,
        }),
      );
      if (response.body.kind !== 'complete') throw new Error('An answer in parts, and nothing asks for one.');
      return { status: response.status ?? 200, headers: [...response.headers].flat(), text: response.body.string };
    },
    stop: () => apollo.stop(),
  };
}

function sayHints(hints: CacheHints): ApolloServerPlugin<RequestContext> {
  return {
    requestDidStart: async () => ({
      async willSendResponse({ document, response, contextValue }) {
        if (document === undefined || response.body.kind !== 'single') return;
        if (response.body.singleResult.errors !== undefined) return;
        const hint = hints(document, contextValue.caching.seconds);
        if (hint !== null) response.http.headers.set('cache-control', hint);
      },
    }),
  };
}

function headerMapOf(headers: IncomingHttpHeaders): HeaderMap {
  const map = new HeaderMap();
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) map.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return map;
}
