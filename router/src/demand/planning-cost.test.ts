import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { budget, costIn, retryAfter } from '../testing/costs.ts';
import { openSocket } from '../testing/raw-socket.ts';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { createTestIssuer } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { codesOf, collect, startTestRouter } from '../testing/test-router.ts';
import type { Answer, TestRouter } from '../testing/test-router.ts';
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

describe('what is new to the router', () => {
  const FIVE = '{ people(first: 5) { id } }';
  const left = ({ headers }: Answer) => /r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1];

  test('costs more, once where it is valid', async () => {
    const router = await routerWith({ budget: budget(1000), planning: 50 });
    const token = await issuer.sign();
    expect(costIn(await router.query(FIVE))).toMatchObject({ estimated: 5, actual: 5, budget: { available: 945 } });
    expect(left(await router.query(FIVE))).toBe('940');
    expect(left(await router.query(FIVE, { token })), 'planned for other rights').toBe('945');
    expect(left(await router.query(FIVE, { token }))).toBe('940');
    for (let i = 0; i < 2; i += 1) {
      expect(codesOf(await router.query('{ nothing }'))).toEqual(['GRAPHQL_VALIDATION_FAILED']);
      expect(codesOf(await router.query('{ nonsense'))).toEqual(['GRAPHQL_PARSE_FAILED']);
    }
    expect(left(await router.query(FIVE))).toBe('735');
  });

  test('is not looked at where the bucket cannot pay for that', async () => {
    const router = await routerWith({ budget: budget(100, 0.5), planning: 60 });
    await router.query(FIVE);
    for (const query of ['{ nonsense', '{ person(id: "p1") { name } }']) {
      const refused = await router.query(query);
      expect(codesOf(refused)).toEqual(['THROTTLED']);
      expect(retryAfter(refused)).toBeGreaterThan(30);
      expect(retryAfter(refused)).toBeLessThanOrEqual(50);
      expect(refused.errors[0]?.extensions?.['details']).toMatchObject({ cost: 60, limit: 100 });
    }
    expect((await router.query(FIVE)).status).toBe(200);
    const { failure } = await collect(router.wsClient(), { query: 'subscription { ticks(count: 5) { sequence } }' });
    expect(failure).toMatchObject([{ extensions: { code: 'THROTTLED' } }]);
  });

  test('costs at most a whole bucket, so that a small one is of use', async () => {
    const router = await routerWith({ budget: budget(20, 5), planning: 50 });
    expect(codesOf(await router.query(FIVE))).toEqual(['THROTTLED']);
    await expect.poll(async () => (await router.query(FIVE)).status).toBe(200);
  });

  test('is answered where costs are only measured', async () => {
    const router = await routerWith({ mode: 'measure', budget: budget(10), planning: 10 });
    expect(costIn(await router.query(FIVE))).toMatchObject({ budget: { available: -5 } });
    expect((await router.query('{ people(first: 4) { id } }')).status).toBe(200);
    expect(await router.metric('timbre_router_cost_outcomes_total', { outcome: 'throttled' })).toBe(2);
  });

  test('costs nobody anything whose subscription goes on under another supergraph', async () => {
    const router = await routerWith({ budget: budget(60), planning: 50 });
    const client = await openSocket(router.wsUrl);
    client.say({ type: 'connection_init' });
    await client.hear('connection_ack');
    client.say({ id: 's', type: 'subscribe', payload: { query: 'subscription { ticks(count: 5) { sequence } }' } });
    await expect.poll(() => graph.openStreams()).toBe(1);
    await router.reload(`${graph.supergraph}\n# Changed.`);
    graph.tick();
    expect(await client.hear('next')).toMatchObject({ payload: { data: { ticks: { sequence: expect.any(Number) } } } });
    client.socket.terminate();
  });
});
