import type { GraphQLFormattedError } from 'graphql';
import { isList } from '../execution/data.ts';
import { entityFieldsOf } from '../execution/fetch-errors.ts';
import { SubgraphFailure } from '../subgraphs/subgraph-transport.ts';
import type { SubgraphRequest, SubgraphResponse } from '../subgraphs/subgraph-transport.ts';

/** A batch of entities of which some are there already. */
export interface PartialBatch {
  /** For all of them. */
  request: SubgraphRequest;
  /** In the request's order; null in the places of what is missing. */
  entities: unknown[];
  /** The places of what is missing. */
  missing: readonly number[];
}

/** The request for some of a batch. */
export function partOfBatch(request: SubgraphRequest, places: readonly number[]): SubgraphRequest {
  const all = representationsOf(request);
  return { ...request, variables: { ...request.variables, representations: places.map((place) => all[place]) } };
}

/**
 * Puts what was missing in its places. What went wrong with it is said where it would be without the others.
 *
 * @param answer the answer to {@link partOfBatch}, or what was thrown in its place
 * @throws what was thrown, if it was no SubgraphFailure
 */
export function joinEntities(batch: PartialBatch, answer: unknown): SubgraphResponse {
  const { request, entities, missing } = batch;
  if (answer instanceof SubgraphFailure) return { data: { _entities: entities }, errors: failedFields(batch, answer) };
  if (!isResponse(answer)) throw answer;
  const asked = answer.data?.['_entities'];
  const errors = answer.errors?.map((error) => inPlace(error, missing)) ?? [];
  if (isList(asked) && asked.length === missing.length) {
    for (const [at, place] of missing.entries()) entities[place] = asked[at];
  } else if (answer.data !== null && answer.data !== undefined) {
    const count = isList(asked) ? asked.length : 'no';
    const what = `answered with ${count} entities where ${missing.length} were asked for`;
    const failure = new SubgraphFailure(request.operation.subgraph, 'SUBGRAPH_UNAVAILABLE', what);
    errors.push(...failedFields(batch, failure));
  }
  return errors.length === 0 ? { data: { _entities: entities } } : { data: { _entities: entities }, errors };
}

function isResponse(answer: unknown): answer is SubgraphResponse {
  return typeof answer === 'object' && answer !== null && !(answer instanceof Error);
}

/** The path of an error begins with `_entities` and the place in what was asked for. */
function inPlace(error: GraphQLFormattedError, missing: readonly number[]): GraphQLFormattedError {
  const [field, at, ...rest] = error.path ?? [];
  const place = typeof at === 'number' ? missing[at] : undefined;
  return field === undefined || place === undefined ? error : { ...error, path: [field, place, ...rest] };
}

/** One error at each field that is missing, as without the cache. */
function failedFields({ request, missing }: PartialBatch, { message, code }: SubgraphFailure): GraphQLFormattedError[] {
  const all = representationsOf(request);
  return missing.flatMap((place) =>
    [...entityFieldsOf(request.operation, typeNameOf(all[place]))].map((field) => ({
      message,
      path: ['_entities', place, field],
      extensions: { code },
    })),
  );
}

function typeNameOf(representation: unknown): unknown {
  return typeof representation === 'object' && representation !== null && '__typename' in representation
    ? representation.__typename
    : undefined;
}

function representationsOf({ variables }: SubgraphRequest): readonly unknown[] {
  const all = variables?.['representations'];
  return isList(all) ? all : [];
}
