import { GraphQLError } from 'graphql';
import type { GraphQLFormattedError } from 'graphql';
import type { ErrorPlacement } from '../auth/authorization.ts';
import { clientPath } from './client-path.ts';
import type { CompletionError } from './complete-response.ts';
import type { Path } from './places.ts';
import { withoutPrivate } from './redact-errors.ts';
import type { ObjectShape } from './response-shape.ts';
import type { PlanRun } from './run-plan.ts';

/** An error that a fetch brought, or of a fetch that failed. */
export interface FetchError {
  error: Pick<GraphQLFormattedError, 'message' | 'extensions'>;
  /** Null where clients are not told. */
  subgraph: string | null;
  /** Under the names of the plan; null where it has no place. */
  path: Path | null;
  /** How many steps of the path lead to what is not null in the answer. */
  answered: number;
}

/** What a response says of what went wrong, and of what is not allowed; absent where there is nothing to say. */
export interface ClientErrors {
  errors?: GraphQLError[];
  extensions?: { authorizationErrors: GraphQLFormattedError[] };
}

/** Of places that the caller may not see, where they are to be told of. */
export function unauthorizedErrors(paths: readonly (Path | null)[], placement: ErrorPlacement): ClientErrors {
  if (paths.length === 0 || placement === 'disabled') return {};
  const errors = paths.map(
    (path) =>
      new GraphQLError('Unauthorized field or type', { path, extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } }),
  );
  return placement === 'errors'
    ? { errors }
    : { extensions: { authorizationErrors: errors.map((each) => each.toJSON()) } };
}

/**
 * The errors of an execution as clients are told them: what is left of a subgraph's message and extensions passes (the
 * name of the subgraph as `extensions.service`), paths are in the client's terms, and a null that a subgraph has explained is
 * not explained once more.
 */
export function clientErrors(
  shape: ObjectShape,
  { data, errors: fetchErrors, asksFor, placement }: Pick<PlanRun, 'data' | 'errors' | 'asksFor' | 'placement'>,
  completionErrors: readonly CompletionError[],
): ClientErrors {
  const told = new Map<string, GraphQLError>();
  const tell = (message: string, path: Path | null, extensions: Record<string, unknown>) => {
    const key = JSON.stringify([message, path, extensions['code']]);
    if (!told.has(key)) told.set(key, new GraphQLError(message, { path, extensions }));
  };
  const denied = completionErrors.filter(({ kind }) => kind === 'unauthorized').map(({ path }) => path);
  const unauthorized = unauthorizedErrors(denied, placement);
  // In a list, the same is said of many objects.
  const asked = new Map<string, boolean>();
  const isAsked = (path: Path): boolean => {
    const key = path.filter((step) => typeof step === 'string').join(' ');
    const known = asked.get(key) ?? asksFor(path);
    asked.set(key, known);
    return known;
  };
  const explained: Path[] = [];
  // An error without a place is one of a whole answer.
  let isPlaceless = false;
  for (const { error, subgraph, path, answered } of fetchErrors) {
    const place = path === null ? [] : clientPath(shape, data, path);
    // The planner asks of all entities for what is asked of some. A field that is asked of none is required by another.
    const isUnasked = path !== null && place.length < path.length && place.length <= answered;
    if (isUnasked && isAsked(path)) continue;
    if (place.length > 0) explained.push(place);
    else isPlaceless = true;
    tell(error.message, place.length === 0 ? null : place, publicExtensions(error, subgraph));
  }
  for (const { kind, message, path } of completionErrors) {
    if (kind === 'unauthorized' || (kind === 'unanswered' && isPlaceless)) continue;
    if (!explained.some((place) => isAround(place, path) || isAround(path, place))) {
      tell(message, path, { code: 'INTERNAL_SERVER_ERROR' });
    }
  }
  const errors = [...(unauthorized.errors ?? []), ...told.values()];
  return errors.length === 0 ? unauthorized : { ...unauthorized, errors };
}

function publicExtensions({ extensions }: FetchError['error'], subgraph: string | null): Record<string, unknown> {
  const shown = { code: 'DOWNSTREAM_SERVICE_ERROR', ...withoutPrivate(extensions) };
  return subgraph === null ? shown : { ...shown, service: subgraph };
}

function isAround(outer: Path, inner: Path): boolean {
  return outer.length <= inner.length && outer.every((step, index) => step === inner[index]);
}

export function internalError(requestId: string, path: Path | null = null): GraphQLError {
  return new GraphQLError(`Internal server error. The request id is ${requestId}.`, {
    path,
    extensions: { code: 'INTERNAL_SERVER_ERROR', requestId },
  });
}
