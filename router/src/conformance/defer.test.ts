import { execute, parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import { conformanceGraph } from './harness/conformance-graph.ts';
import { askIncrementally } from './harness/ask-incrementally.ts';
import { pathsOf } from './harness/expect-same.ts';
import { market } from './harness/market.ts';

const graph = conformanceGraph(market);

/** What arrives in the end is what one server would have sent at once: graphql-js does not defer. */
async function expectSameInTheEnd(query: string, variables: Record<string, unknown> = {}): Promise<number> {
  const { oracle: schema, router } = graph();
  const truth = await execute({ schema, document: parse(query), variableValues: variables });
  const found = await askIncrementally(router.url, { query, variables });
  expect(found.data).toEqual(JSON.parse(JSON.stringify(truth.data)));
  expect(found.paths).toEqual(pathsOf(truth.errors));
  return found.parts;
}

describe('@defer', () => {
  test.each<[string, string]>([
    ['of another subgraph', '{ me { name ... @defer { bio reviews { body } } } }'],
    ['of entities in lists', '{ products { name ... @defer { stars reviews { body } } } }'],
    ['one in another', '{ me { ... @defer { bio ... @defer { orders { paid } } } name } }'],
    ['by name', '{ me { ...F @defer(label: "late") } } fragment F on User { favourite { name ... on Toy { stock } } }'],
    ['beside the same field at once', '{ me { name ... @defer { name bio } } }'],
    ['under aliases that are keys', '{ me { id: email ... @defer { email: id orders { number: paid } } } }'],
    ['on a type behind an interface', '{ shelves { upc ... on Book @defer { box shipping } } }'],
    ['on two siblings', '{ me { ... @defer(label: "a") { bio } ... @defer(label: "b") { orders { note } } } }'],
    ['with errors', '{ users(limit: 4) { id ... @defer { favourite { ... on Book { stock } } motto } } }'],
    ['at the root', '{ me { name } ... @defer { order { paid buyer { bio } } } }'],
  ])('%s', async (_name, query) => {
    expect(await expectSameInTheEnd(query)).toBeGreaterThan(1);
  });

  test.each([
    '{ reviews { ... @defer { author { bio } } mark } }',
    '{ shelves { ... on Stocked @defer { ... on Product @defer { stars } } stars } }',
    '{ stocked { ... on Product @defer { ... on Hit @defer { ... on Book @defer { pages } ... on Stocked @defer { __typename } } } } }',
  ])('may be delivered at once where the planner cannot defer it: %s', async (query) => {
    await expectSameInTheEnd(query);
  });

  test('by a variable', async () => {
    const query = 'query ($d: Boolean!) { me { name ... @defer(if: $d) { bio orders { paid } } } }';
    expect(await expectSameInTheEnd(query, { d: true })).toBeGreaterThan(1);
    expect(await expectSameInTheEnd(query, { d: false })).toBe(1);
  });
});
