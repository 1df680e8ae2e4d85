import { GraphQLError } from 'graphql';
import type { GraphQLFormattedError } from 'graphql';
import { httpStatusOf, isAppError, isErrorCode } from './errors.ts';
import type { AppError } from './errors.ts';
import type { Logger } from './logger.ts';

export interface MaskOptions {
  requestId: string;
  log: Logger;
}

/**
 * What a client is told of an error. The one place where errors become `extensions.code`:
 * an {@link AppError} keeps its message, code and details; GraphQL's own refusals (parsing,
 * validation, coercion) stay as they are; everything else is masked and logged under the request
 * id that the client is given.
 */
export function maskError(error: unknown, options: MaskOptions): GraphQLFormattedError {
  const located = error instanceof GraphQLError ? error : null;
  const place = placeOf(located);
  const appError = findAppError(error);
  if (appError !== null) {
    if (httpStatusOf(appError.code) >= 500) options.log.warn({ err: appError, path: place.path }, 'request failed');
    return {
      message: appError.message,
      ...place,
      extensions: {
        code: appError.code,
        ...(appError.details === undefined ? {} : { details: appError.details }),
        requestId: options.requestId,
      },
    };
  }
  if (located !== null) {
    const code = publicCode(located);
    if (code !== null) {
      return {
        message: located.message,
        ...place,
        extensions: { ...withoutHttp(located), code, requestId: options.requestId },
      };
    }
  }
  options.log.error({ err: rootOf(error), path: place.path }, 'unexpected error');
  return {
    message: `Internal server error. The request id is ${options.requestId}.`,
    ...place,
    extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: options.requestId },
  };
}

/** For transports that insist on GraphQLError instances, as graphql-ws does. */
export function maskAsGraphQLError(error: unknown, options: MaskOptions): GraphQLError {
  const { message, extensions } = maskError(error, options);
  const located = error instanceof GraphQLError ? error : null;
  return new GraphQLError(message, {
    nodes: located?.nodes ?? null,
    source: located?.source ?? null,
    positions: located?.positions ?? null,
    path: located?.path ?? null,
    extensions: extensions ?? null,
  });
}

type Place = Pick<GraphQLFormattedError, 'locations' | 'path'>;

function placeOf(error: GraphQLError | null): Place {
  const { locations, path } = error?.toJSON() ?? {};
  return { ...(locations === undefined ? {} : { locations }), ...(path === undefined ? {} : { path }) };
}

function rootOf(error: unknown): unknown {
  return error instanceof GraphQLError && error.originalError !== undefined ? rootOf(error.originalError) : error;
}

function findAppError(error: unknown): AppError | null {
  const root = rootOf(error);
  return isAppError(root) ? root : null;
}

/** The code of an error that GraphQL itself or a resolver meant for the client; null when it must be masked. */
function publicCode(error: GraphQLError): string | null {
  const root = rootOf(error);
  if (!(root instanceof GraphQLError)) return null;
  const code = error.extensions['code'] ?? root.extensions['code'];
  if (isErrorCode(code)) return code === 'INTERNAL_SERVER_ERROR' ? null : code;
  // Without a path nothing has been executed: the document or its variables were refused.
  if (error.path === undefined) return 'BAD_USER_INPUT';
  // graphql-js blames an argument by pointing at its node; a value that one of our own resolvers
  // returned and that cannot be serialized has none, and is a bug of ours.
  return root.nodes !== undefined && root !== error ? 'BAD_USER_INPUT' : null;
}

/** Apollo's hint for the HTTP head, and stack traces should one ever be switched on. */
function withoutHttp(error: GraphQLError): Record<string, unknown> {
  const { http: _http, stacktrace: _stacktrace, ...rest } = error.extensions;
  return rest;
}
