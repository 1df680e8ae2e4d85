import type { ErrorCode } from '@timbre/platform/errors';
import { GraphQLError } from 'graphql';

/**
 * An operation that is not executed, and why. By GraphQL over HTTP it has no `data`, and its
 * status follows the media type that the client accepts.
 */
export class OperationRefused extends Error {
  readonly errors: readonly GraphQLError[];
  readonly response: RefusalResponse;

  constructor(errors: readonly GraphQLError[], response: RefusalResponse = {}) {
    super(errors[0]?.message ?? 'The operation was refused.');
    this.name = 'OperationRefused';
    this.errors = errors;
    this.response = response;
  }
}

/** What a response says beside the errors. */
export interface RefusalResponse {
  /** Of HTTP, whatever the media type; for what concerns the request rather than its document. */
  status?: number;
  headers?: Readonly<Record<string, string>>;
  /** Of the response, not of an error. */
  extensions?: Readonly<Record<string, unknown>>;
}

/** An {@link OperationRefused} with one error; the extensions are public and stand beside the code. */
export function refusal(
  code: ErrorCode,
  message: string,
  extensions: Record<string, unknown> = {},
  response: RefusalResponse = {},
): OperationRefused {
  return new OperationRefused([new GraphQLError(message, { extensions: { code, ...extensions } })], response);
}

/** The same errors with a code each, for errors of graphql-js that carry none. */
export function refusalOf(code: ErrorCode, errors: readonly GraphQLError[]): OperationRefused {
  return new OperationRefused(
    errors.map(
      (error) =>
        new GraphQLError(error.message, {
          nodes: error.nodes ?? null,
          source: error.source ?? null,
          positions: error.positions ?? null,
          extensions: { code, ...error.extensions },
        }),
    ),
  );
}
