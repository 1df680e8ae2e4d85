import type { Logger } from '@timbre/platform/logger';
import { GraphQLError } from 'graphql';

type Path = readonly (string | number)[];

/** What of a subgraph's error is for developers of the subgraph only. */
const PRIVATE_EXTENSIONS = new Set(['stacktrace', 'exception', 'serviceName', 'http']);

export interface ClientErrorOptions {
  data: Readonly<Record<string, unknown>> | null | undefined;
  requestId: string;
  log: Logger;
}

/**
 * The errors of an execution as clients are told them: a subgraph's message and extensions pass
 * (the name of the subgraph as `extensions.service`), paths are in the client's terms, and what went
 * wrong in the executor itself is masked and logged.
 */
export function clientErrors(errors: readonly unknown[], options: ClientErrorOptions): GraphQLError[] {
  const told = new Map<string, GraphQLError>();
  for (const error of errors) {
    const clientError = toClientError(error, options);
    const key = JSON.stringify([clientError.message, clientError.path, clientError.extensions['code']]);
    if (!told.has(key)) told.set(key, clientError);
  }
  return [...told.values()];
}

function toClientError(error: unknown, { data, requestId, log }: ClientErrorOptions): GraphQLError {
  const service = error instanceof GraphQLError ? error.extensions['serviceName'] : undefined;
  if (!(error instanceof GraphQLError) || typeof service !== 'string') {
    log.error({ err: error, requestId }, 'the execution of a plan failed');
    return internalError(requestId);
  }
  const extensions = Object.fromEntries(
    Object.entries(error.extensions).filter(([name]) => !PRIVATE_EXTENSIONS.has(name)),
  );
  const path = error.path === undefined ? null : pathOfClient(error.path, data);
  return new GraphQLError(error.message, { path, extensions: { ...extensions, service } });
}

export function internalError(requestId: string, path: Path | null = null): GraphQLError {
  return new GraphQLError(`Internal server error. The request id is ${requestId}.`, {
    path,
    extensions: { code: 'INTERNAL_SERVER_ERROR', requestId },
  });
}

/** A fetch also asks for keys and required fields: an error at one of those is one of the object around it. */
function pathOfClient(path: Path, data: ClientErrorOptions['data']): Path | null {
  const known: (string | number)[] = [];
  let value: unknown = data;
  for (const step of path) {
    if (typeof value === 'object' && value !== null && !(step in value)) break;
    known.push(step);
    value = typeof value === 'object' && value !== null ? Reflect.get(value, step) : null;
  }
  return known.length === 0 ? null : known;
}
