import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { createTestIssuer } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { codesOf, startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';

let graph: TestGraph;
let issuer: TestIssuer;
/** Refuses everything that costs anything, and says what it would have cost. */
let meter: TestRouter;

const MAXIMUM = 0.5;

beforeAll(async () => {
  graph = await startTestGraph();
  issuer = await createTestIssuer();
  meter = await startTestRouter(graph, {
    issuer,
    demand: { mode: 'enforce', maximum: { default: MAXIMUM }, listSize: 7 },
  });
});

afterAll(async () => {
  await meter.close();
  await graph.close();
});

async function costOf(query: string, options: Parameters<TestRouter['query']>[1] = {}): Promise<unknown> {
  const answer = await meter.query(query, options);
  if (answer.errors.length === 0) return { estimated: 0, max: MAXIMUM };
  expect(codesOf(answer)).toEqual(['COST_ESTIMATED_TOO_EXPENSIVE']);
  return answer.errors[0]?.extensions?.['cost'];
}

describe('the estimate', () => {
  test.each([
    ['scalars are free', '{ __typename }', 0],
    ['an object', '{ person(id: "p1") { id name } }', 1],
    ['objects in objects', '{ person(id: "p1") { favourite { owner { id } } } }', 3],
    ['a list by its slicing argument', '{ people(first: 5) { id } }', 5],
    ['a list by the default of its slicing argument', '{ people { id } }', 3],
    ['lists in lists', '{ people(first: 5) { voices(first: 4) { owner { id } } } }', 5 * (1 + 4 * 2)],
    ['a list about which nothing is said', '{ search { __typename } }', 7],
    ['an own weight', '{ costly }', 400],
    ['the same response name twice', '{ people(first: 5) { id } people(first: 5) { name } }', 5],
    ['two response names', '{ a: people(first: 5) { id } b: people(first: 5) { name } }', 10],
    [
      'the same through fragments',
      '{ ...A ...B } fragment A on Query { people { id } } fragment B on Query { people { name } }',
      3,
    ],
    ['what is skipped', '{ people @skip(if: true) { id } person(id: "p1") @include(if: false) { id } }', 0],
    ['a negative size', '{ people(first: -1000) { id } person(id: "p1") { id } }', 1],
    ['a huge size', '{ people(first: 2147483647) { voices(first: 2147483647) { id } } }', Number.MAX_SAFE_INTEGER],
  ])('%s', async (_name, query, expected) => {
    expect(await costOf(query)).toEqual({ estimated: expected, max: MAXIMUM });
  });

  test('reads variables and their defaults', async () => {
    const query = 'query ($n: Int! = 6) { people(first: $n) { id } }';
    expect(await costOf(query)).toEqual({ estimated: 6, max: MAXIMUM });
    expect(await costOf(query, { variables: { n: 9 } })).toEqual({ estimated: 9, max: MAXIMUM });
  });

  test('a mutation costs ten more', async () => {
    expect(await costOf('mutation { rename(name: "x") { id } }', { token: await issuer.sign() })).toEqual({
      estimated: 11,
      max: MAXIMUM,
    });
  });

  test('is of what the caller may see', async () => {
    const query = '{ me { favourite { owner { id } } } person(id: "p1") { id } }';
    expect(await costOf(query)).toEqual({ estimated: 1, max: MAXIMUM });
    expect(await costOf(query, { token: await issuer.sign() })).toEqual({ estimated: 4, max: MAXIMUM });
  });
});

test('a refusal names the limit and the estimate, and nothing is executed', async () => {
  const router = await startTestRouter(graph, { issuer, demand: { mode: 'enforce', maximum: { default: 20 } } });
  const token = await issuer.sign();
  expect((await router.query('{ people(first: 20) { id } }')).errors).toEqual([]);
  const answer = await router.query('{ people(first: 21) { id } }');
  expect(answer.data).toBeUndefined();
  expect(answer.errors).toMatchObject([
    {
      message: 'The operation could cost 21 points; at most 20 are allowed.',
      extensions: { code: 'COST_ESTIMATED_TOO_EXPENSIVE', cost: { estimated: 21, max: 20 } },
    },
  ]);
  const mutation = 'mutation { rename(name: "dear") { voices(first: 10) { id } } }';
  expect(codesOf(await router.query(mutation, { token }))).toEqual(['COST_ESTIMATED_TOO_EXPENSIVE']);
  expect(graph.calls).not.toContain('rename dear');
  await router.close();
});
