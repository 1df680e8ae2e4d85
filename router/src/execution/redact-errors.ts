import type { Logger } from '@timbre/platform/logger';
import type { GraphQLFormattedError } from 'graphql';

/** Whether clients are told what subgraphs say of their errors, as `include_subgraph_errors` of the Apollo Router does. */
export interface SubgraphErrorsOptions {
  all: boolean;
  /** By name, where it is another for one of them. */
  subgraphs?: Readonly<Record<string, boolean>>;
}

/** The errors of one answer of a subgraph as clients may know them; the same list where all of it may be told. */
export type RedactErrors = (
  errors: readonly GraphQLFormattedError[],
  subgraph: string,
) => readonly GraphQLFormattedError[];

/** Of a subgraph's error: what its operators may know and clients may not, and what servers in debug mode add. */
const PRIVATE_EXTENSIONS: ReadonlySet<string> = new Set([
  'serviceName',
  'http',
  'exception',
  'stacktrace',
  'stackTrace',
  'stack',
  'trace',
  'debug',
  'debugMessage',
  'debugInfo',
]);
const MAX_LOGGED = 3;

export function withoutPrivate(extensions: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(extensions).filter(([name]) => !PRIVATE_EXTENSIONS.has(name)));
}

/**
 * @returns null where all of it may be told. What may not is logged under the request's id, which is all that the client
 * gets beside the place: not even which subgraph it was
 */
export function createRedaction(
  { all, subgraphs = {} }: SubgraphErrorsOptions,
  log: Logger,
): ((requestId: string) => RedactErrors) | null {
  if (all && Object.values(subgraphs).every(Boolean)) return null;
  const tells = (subgraph: string) => (Object.hasOwn(subgraphs, subgraph) ? subgraphs[subgraph] === true : all);
  return (requestId) => (errors, subgraph) => {
    if (tells(subgraph)) return errors;
    const first = errors.slice(0, MAX_LOGGED).map(({ message, path, extensions }) => {
      return { message, path, code: extensions?.['code'] };
    });
    log.warn({ requestId, subgraph, count: errors.length, errors: first }, 'errors of a subgraph were redacted');
    return errors.map(({ path }) => ({
      message: `A subgraph reported an error. The request id is ${requestId}.`,
      extensions: { code: 'DOWNSTREAM_SERVICE_ERROR', requestId },
      ...(path === undefined ? {} : { path }),
    }));
  };
}
