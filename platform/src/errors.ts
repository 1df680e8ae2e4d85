/**
 * Every code that can stand in `extensions.code`. The union is closed on purpose: clients switch
 * over it, so a new code is a change of the contract.
 */
export const ERROR_CODES = [
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'UNAUTHORIZED_FIELD_OR_TYPE',
  'BAD_USER_INPUT',
  'BAD_REQUEST',
  'NOT_FOUND',
  'METHOD_NOT_ALLOWED',
  'CONFLICT',
  'GONE',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'RATE_LIMITED',
  'CONCURRENCY_LIMITED',
  'OVERLOADED',
  'THROTTLED',
  'TIMEOUT',
  'CANCELED',
  'ENGINE_UNAVAILABLE',
  'SUBGRAPH_UNAVAILABLE',
  'SERVICE_UNAVAILABLE',
  'OPERATION_LIMIT_EXCEEDED',
  'OPERATION_RESOLUTION_FAILURE',
  'INTROSPECTION_DISABLED',
  'COST_ESTIMATED_TOO_EXPENSIVE',
  'SUBGRAPH_COST_ESTIMATED_TOO_EXPENSIVE',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'PERSISTED_QUERY_NOT_FOUND',
  'PERSISTED_QUERY_NOT_SUPPORTED',
  'PERSISTED_QUERY_NOT_IN_LIST',
  'PERSISTED_QUERY_ID_REQUIRED',
  'QUERY_NOT_IN_SAFELIST',
  'CANNOT_SEND_PQ_ID_AND_BODY',
  'CSRF_PREVENTION',
  'CLIENT_NOT_IDENTIFIED',
  'BATCHING_NOT_ENABLED',
  'BATCH_LIMIT_EXCEEDED',
  'SUBSCRIPTION_AUTH_EXPIRED',
  'SUBSCRIPTION_AUTH_REVOKED',
  'SUBSCRIPTION_OVERFLOW',
  'SUBSCRIPTION_SCHEMA_RELOAD',
  'AUDIO_UNREADABLE',
  'AUDIO_TRUNCATED',
  'AUDIO_SILENT',
  'AUDIO_TOO_LONG',
  'AUDIO_TOO_SHORT',
  'AUDIO_TOO_LARGE',
  'INTERNAL_SERVER_ERROR',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

const codes: ReadonlySet<string> = new Set(ERROR_CODES);

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && codes.has(value);
}

export interface AppErrorOptions {
  cause?: unknown;
  /** Public: it is sent to the client beside the code. Limits, what was sent, retry times. */
  details?: Record<string, unknown>;
}

/**
 * An error whose message a client may read. Anything else that is thrown is masked
 * (see `graphql-errors.ts`), so put nothing secret in the message or in `details`.
 */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly details?: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    if (options.details !== undefined) this.details = options.details;
  }
}

export function isAppError(value: unknown): value is AppError {
  return value instanceof AppError;
}

const HTTP_STATUS: Partial<Record<ErrorCode, number>> = {
  UNAUTHENTICATED: 401,
  SUBSCRIPTION_AUTH_EXPIRED: 401,
  SUBSCRIPTION_AUTH_REVOKED: 401,
  FORBIDDEN: 403,
  UNAUTHORIZED_FIELD_OR_TYPE: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  GONE: 410,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  RATE_LIMITED: 429,
  CONCURRENCY_LIMITED: 429,
  THROTTLED: 429,
  INTERNAL_SERVER_ERROR: 500,
  OVERLOADED: 503,
  ENGINE_UNAVAILABLE: 503,
  SUBGRAPH_UNAVAILABLE: 503,
  SERVICE_UNAVAILABLE: 503,
  TIMEOUT: 504,
};

/** The status of a plain HTTP answer (not of a GraphQL response) for a code; 400 where none fits better. */
export function httpStatusOf(code: ErrorCode): number {
  return HTTP_STATUS[code] ?? 400;
}
