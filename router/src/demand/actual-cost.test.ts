import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { budget, costIn, SLOW } from '../testing/costs.ts';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { createTestIssuer } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { codesOf, collect, startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import type { DemandOptions } from './demand-options.ts';

let graph: TestGraph;
let issuer: TestIssuer;
const routers: TestRouter[] = [];

beforeAll(async () => {
  graph = await startTestGraph();
  issuer = await createTestIssuer();
});

afterEach(async () => {
  for (const router of routers.splice(0)) await router.close();
});

afterAll(() => graph.close());

async function routerWith(demand: Partial<DemandOptions>): Promise<TestRouter> {
  const router = await startTestRouter(graph, { issuer, demand: { mode: 'enforce', tell: true, ...demand } });
  routers.push(router);
  return router;
}

describe('the actual cost', () => {
  test.each([
    ['of what was there, not of what could have been', '{ search { __typename } }', 10, 2],
    ['of a list of objects in a list', '{ people(first: 2) { voices(first: 3) { id } } }', 8, 8],
    ['of entities from two subgraphs', '{ people { voices { owner { id } } } }', 15, 15],
    ['of what is null', '{ person(id: "gone") { id } }', 1, 0],
    ['of a field with a weight', '{ costly }', 400, 400],
    ['of a field that failed, null, nothing', '{ fails }', 0, 0],
    ['of what introspection says', '{ __schema { queryType { name } } }', 0, 0],
    ['of what a caller may not see, nothing', '{ me { id } person(id: "p1") { id } }', 1, 1],
  ])('%s', async (_name, query, estimated, actual) => {
    const router = await routerWith({ budget: budget(1000) });
    const available = 1000 - actual;
    expect(costIn(await router.query(query))).toEqual({
      estimated,
      actual,
      budget: { limit: 1000, available, restoreRate: SLOW },
    });
  });

  test('of a mutation is ten more', async () => {
    const router = await routerWith({ budget: budget(1000) });
    const token = await issuer.sign();
    expect(costIn(await router.query('mutation { rename(name: "x") { id } }', { token }))).toMatchObject({
      estimated: 11,
      actual: 11,
    });
  });

  test('of what a subgraph that is away did not answer is nothing, and is given back', async () => {
    const router = await routerWith({ budget: budget(100) });
    await graph.voices.stop();
    const answer = await router.query('{ person(id: "p1") { voices(first: 20) { id } } }');
    await graph.voices.start();
    expect(codesOf(answer)).toEqual(['SUBGRAPH_UNAVAILABLE']);
    expect(costIn(answer)).toMatchObject({ estimated: 21, actual: 1, budget: { available: 99 } });
  });

  test('is told without a budget, too', async () => {
    const router = await routerWith({});
    const answer = await router.query('{ search { __typename } }');
    expect(costIn(answer)).toEqual({ estimated: 10, actual: 2 });
    expect(answer.headers.get('ratelimit')).toBeNull();
  });

  test('is not told where nobody asked for that', async () => {
    const router = await routerWith({ tell: false, budget: budget(100) });
    const answer = await router.query('{ people { id } }');
    expect(JSON.parse(answer.text)).not.toHaveProperty('extensions');
    expect(answer.headers.get('ratelimit')).toBe('"cost";r=97;t=1');
  });

  test('of deferred parts is told with the last of them', async () => {
    const router = await routerWith({ budget: budget(100) });
    const query = '{ people(first: 2) { id ... @defer { voices(first: 3) { id } } } }';
    const { events: parts } = await collect(router.wsClient(), { query });
    expect(parts.at(0)).toMatchObject({
      hasNext: true,
      extensions: { cost: { estimated: 8, budget: { available: 92 } } },
    });
    expect(parts.at(0)).not.toHaveProperty('extensions.cost.actual');
    expect(parts.at(-1)).toMatchObject({ hasNext: false, extensions: { cost: { estimated: 8, actual: 8 } } });
    const next = costIn(await router.query('{ person(id: "p1") { id } }'));
    expect(next).toMatchObject({ budget: { available: 91 } });
  });
});
