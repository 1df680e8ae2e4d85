import type { ErrorCode } from '@timbre/platform/errors';
import { isAppError, isErrorCode } from '@timbre/platform/errors';
import type { GraphQLError } from 'graphql';

/** For metrics and traces: a closed set, whatever an error carries. */
export function codeOf(error: GraphQLError | undefined): ErrorCode {
  const code = error?.extensions['code'];
  if (isErrorCode(code)) return code;
  return isAppError(error?.originalError) ? error.originalError.code : 'INTERNAL_SERVER_ERROR';
}
