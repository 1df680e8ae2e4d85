import { execute, parse, validate } from 'graphql';
import { expect } from 'vitest';
import type { ConformanceGraph } from './conformance-graph.ts';
import type { SubgraphCall } from './serve-subgraphs.ts';

export interface Operation {
  query: string;
  variables: Record<string, unknown>;
}

export interface SameOptions {
  variables?: Record<string, unknown>;
  /** How many errors there are to be, at the oracle's paths; default none. */
  errors?: number;
}

export interface Same {
  data: Record<string, unknown> | null | undefined;
  calls: SubgraphCall[];
}

/** Expects the router to answer as the oracle does: the same data, in the same order, and errors at the same paths. */
export async function expectSame(
  graph: ConformanceGraph,
  query: string,
  { variables = {}, errors = 0 }: SameOptions = {},
): Promise<Same> {
  const { truth, answer } = await askBoth(graph, { query, variables });
  expect(truth.paths, 'the oracle itself').toHaveLength(errors);
  const hint = `${query}\n${JSON.stringify(variables)}\n${JSON.stringify(answer.errors)}\n`;
  const found = { data: answer.data, paths: answer.paths };
  expect(found, hint).toEqual({ data: JSON.parse(truth.text), paths: truth.paths });
  expect(answer.text, hint).toBe(truth.text);
  return { data: answer.data, calls: graph.servers.calls };
}

/** Lets the router and the oracle answer. `text` is the data as JSON, `paths` are those of the errors. */
export async function askBoth(graph: ConformanceGraph, { query, variables }: Operation) {
  const { oracle: schema, servers, router } = graph;
  const document = parse(query);
  expect(validate(schema, document), query).toEqual([]);
  const truth = await execute({ schema, document, variableValues: variables });
  servers.calls = [];
  const { data, errors } = await router.query(query, Object.keys(variables).length === 0 ? {} : { variables });
  return {
    truth: { text: JSON.stringify(truth.data), paths: pathsOf(truth.errors) },
    answer: { data, errors, text: JSON.stringify(data), paths: pathsOf(errors) },
  };
}

/** The paths of errors, joined and sorted. */
export const pathsOf = (errors: readonly { path?: readonly (string | number)[] | undefined }[] = []) =>
  errors.map(({ path }) => path?.join('.') ?? 'request').toSorted((a, b) => a.localeCompare(b));
