import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { compose } from '../testing/compose.ts';
import { startControlledSubgraph } from '../testing/controlled-subgraph.ts';
import { budget, costIn, retryAfter, SLOW } from '../testing/costs.ts';
import { openSocket } from '../testing/raw-socket.ts';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { createTestIssuer } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { codesOf, collect, startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import { ANONYMOUS_PRINCIPAL } from '../auth/principal.ts';
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

describe('a bucket', () => {
  const FIVE = '{ people(first: 5) { id } }';

  test('pays until it is empty, and then says when to come again', async () => {
    const router = await routerWith({ budget: budget(12, 0.1) });
    const first = await router.query(FIVE);
    expect(first.headers.get('ratelimit-policy')).toBe('"cost";q=12;w=120;qu="points"');
    expect(first.headers.get('ratelimit')).toMatch(/^"cost";r=7;t=\d+$/);
    await router.query(FIVE);
    const refused = await router.query(FIVE);
    expect(refused.status).toBe(429);
    expect(refused.data).toBeUndefined();
    expect(codesOf(refused)).toEqual(['THROTTLED']);
    // Three points in half a minute, of which this test has used some.
    expect(retryAfter(refused)).toBeGreaterThan(20);
    expect(retryAfter(refused)).toBeLessThanOrEqual(30);
    expect(refused.headers.get('ratelimit')).toBe(`"cost";r=2;t=${retryAfter(refused)}`);
    expect(refused.errors[0]?.extensions?.['details']).toMatchObject({
      cost: 5,
      available: 2,
      limit: 12,
      restoreRate: 0.1,
    });
    expect(costIn(refused)).toEqual({ estimated: 5, budget: { limit: 12, available: 2, restoreRate: 0.1 } });
    expect(await router.metric('timbre_router_cost_outcomes_total', { outcome: 'throttled' })).toBe(1);
  });

  test('says that waiting does not help where it can never hold so much', async () => {
    const router = await routerWith({ budget: budget(4) });
    const refused = await router.query(FIVE);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBeNull();
    expect(refused.errors[0]).toMatchObject({
      message: 'It needs 5 points, and the budget never holds more than 4: ask for less.',
      extensions: { details: { retryAfterMs: null } },
    });
  });

  test('pays for exactly so many at once as it can', async () => {
    const router = await routerWith({ budget: budget(50) });
    const answers = await Promise.all(Array.from({ length: 100 }, () => router.query(FIVE)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(10);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(90);
  });

  test('calls no subgraph for what it does not pay', async () => {
    const router = await routerWith({ budget: budget(15) });
    const token = await issuer.sign();
    await router.query('mutation { rename(name: "paid") { id } }', { token });
    await router.query('mutation { rename(name: "unpaid") { id } }', { token });
    expect(graph.calls).toContain('rename paid');
    expect(graph.calls).not.toContain('rename unpaid');
  });

  test('is one for all tokens of a user, and another for everybody else', async () => {
    const router = await routerWith({ budget: budget(8) });
    const [one, same, other] = [
      await issuer.sign({ sub: 'auth0|one' }),
      await issuer.sign({ sub: 'auth0|one', scope: 'profile:read' }),
      await issuer.sign({ sub: 'auth0|other' }),
    ];
    expect((await router.query(FIVE, { token: one })).status).toBe(200);
    expect((await router.query(FIVE, { token: same })).status).toBe(429);
    expect((await router.query(FIVE, { token: other })).status).toBe(200);
    expect((await router.query(FIVE)).status).toBe(200);
    expect((await router.query(FIVE)).status).toBe(429);
  });

  test('is as large as the plan says, and so is the most that an operation may cost', async () => {
    const allowed = (limit: number) => ({ limit, restoreRate: SLOW });
    const demand: DemandOptions = {
      mode: 'enforce',
      budget: { default: allowed(6), anonymous: allowed(4), plans: { pro: allowed(10) } },
      maximum: { default: 5, anonymous: 3, plans: { pro: 9 } },
    };
    const router = await startTestRouter(graph, {
      demand,
      authenticate: async ({ headers: { authorization: plan } }) =>
        plan === undefined
          ? ANONYMOUS_PRINCIPAL
          : { ...ANONYMOUS_PRINCIPAL, subject: `of ${plan}`, userId: `of ${plan}`, plan },
    });
    routers.push(router);
    const ask = async (points: number, plan?: string) => {
      const headers = plan === undefined ? {} : { authorization: plan };
      const answer = await router.query(`{ people(first: ${points}) { id } }`, { headers });
      return codesOf(answer)[0] ?? answer.headers.get('ratelimit');
    };
    expect(await ask(4)).toBe('COST_ESTIMATED_TOO_EXPENSIVE');
    expect(await ask(3)).toBe('"cost";r=1;t=1');
    expect(await ask(6, 'free')).toBe('COST_ESTIMATED_TOO_EXPENSIVE');
    expect(await ask(5, 'free')).toBe('"cost";r=1;t=1');
    expect(await ask(5, 'toString')).toBe('"cost";r=1;t=1');
    expect(await ask(9, 'pro')).toBe('"cost";r=1;t=1');
    expect(await ask(2, 'pro')).toBe('THROTTLED');
    expect(await router.metric('timbre_router_cost_estimated_points', { plan: 'free' })).toBe(0);
    expect(await router.metric('timbre_router_cost_estimated_points', { plan: 'pro' })).toBeGreaterThan(0);
  });

  test('owes what an operation cost more than it could be expected to, and no more than it holds', async () => {
    const router = await routerWith({ budget: budget(4), listSize: 1 });
    const answer = await router.query(
      '{ a: search { __typename } b: search { __typename } c: search { __typename } d: search { __typename } }',
    );
    expect(costIn(answer)).toMatchObject({ estimated: 4, actual: 8, budget: { available: -4 } });
    expect((await router.query('{ search { __typename } }')).status).toBe(429);
    expect((await router.query('{ __typename }')).status).toBe(429);
  });

  test('with nothing in it has nothing planned, nor even looked at', async () => {
    const router = await routerWith({ budget: budget(5, 0.01) });
    await router.query(FIVE);
    const planned = () => router.metric('timbre_router_plan_cache_lookups_total', { outcome: 'miss' });
    const before = await planned();
    for (const query of ['{ person(id: "p1") { name } }', '{ __typename }', '{ nonsense', FIVE]) {
      const refused = await router.query(query);
      expect(codesOf(refused)).toEqual(['THROTTLED']);
      expect(refused.status).toBe(429);
      expect(retryAfter(refused)).toBeGreaterThan(50);
      expect(retryAfter(refused)).toBeLessThanOrEqual(100);
    }
    expect(await planned()).toBe(before);
    expect(await router.metric('timbre_router_cost_outcomes_total', { outcome: 'throttled' })).toBe(4);
    expect(codesOf(await router.query('{ nonsense', { token: await issuer.sign() }))).toEqual(['GRAPHQL_PARSE_FAILED']);
  });

  test('stays as empty as it is when the rules change', async () => {
    const router = await routerWith({ budget: budget(20) });
    await router.query(FIVE);
    await router.query(FIVE);
    const demand: DemandOptions = { mode: 'enforce', budget: budget(14), maximum: { default: 5 } };
    await router.configure({ demand });
    expect((await router.query(FIVE)).headers.get('ratelimit')).toBe('"cost";r=5;t=1');
    expect(codesOf(await router.query('{ people(first: 6) { id } }'))).toEqual(['COST_ESTIMATED_TOO_EXPENSIVE']);
    await router.configure({});
    expect((await router.query(FIVE)).headers.get('ratelimit')).toBeNull();
    await router.configure({ demand });
    await router.query(FIVE);
    expect(codesOf(await router.query(FIVE))).toEqual(['THROTTLED']);
  });

  test.each([
    ['an operation', '{ slow }', false],
    ['deferred parts', '{ quick ... @defer { slow } }', true],
  ])('holds what %s may cost while it runs, and keeps it when the client leaves', async (_name, query, isDeferred) => {
    const link = '@link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@cost"])';
    const supergraph = compose({
      one: `extend schema ${link} type Query { slow: String @cost(weight: 10) quick: String }`,
    });
    const subgraph = await startControlledSubgraph({ slow: 'at last', quick: 'at once' });
    const router = await startTestRouter(
      { supergraph, subgraphUrl: () => subgraph.url },
      { demand: { mode: 'enforce', budget: budget(15) } },
    );
    routers.push(router);
    const remaining = async () => (await router.query('{ quick }')).headers.get('ratelimit');
    const { held, release } = subgraph.hold('slow');
    const client = await openSocket(router.wsUrl);
    client.say({ type: 'connection_init' });
    await client.hear('connection_ack');
    client.say({ id: '1', type: 'subscribe', payload: { query } });
    await held;
    if (isDeferred) await client.hear('next');
    expect(await remaining()).toBe('"cost";r=5;t=1');
    expect(codesOf(await router.query('{ slow quick }'))).toEqual(['THROTTLED']);
    client.say({ id: '1', type: 'complete' });
    await expect.poll(() => router.metric('timbre_router_active_operations')).toBe(0);
    expect(await remaining()).toBe('"cost";r=5;t=1');
    release();
    client.socket.terminate();
    await subgraph.close();
  });

  test('gives back no more than was taken, where a weight takes off', async () => {
    const link = '@link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@cost"])';
    const supergraph = compose({
      one: `extend schema ${link} type Query { slow: String @cost(weight: 10) quick: String @cost(weight: -20) }`,
    });
    const subgraph = await startControlledSubgraph({ slow: 'at last', quick: 'at once' });
    const router = await startTestRouter(
      { supergraph, subgraphUrl: () => subgraph.url },
      { demand: { mode: 'enforce', tell: true, budget: budget(30) } },
    );
    routers.push(router);
    expect(costIn(await router.query('{ slow }'))).toMatchObject({ actual: 10, budget: { available: 20 } });
    expect(costIn(await router.query('{ quick }'))).toMatchObject({
      estimated: 0,
      actual: 0,
      budget: { available: 20 },
    });
    await subgraph.close();
  });

  test('refuses nothing where costs are only measured', async () => {
    const router = await routerWith({ mode: 'measure', budget: budget(4), maximum: { default: 1 } });
    expect(costIn(await router.query(FIVE))).toMatchObject({ estimated: 5, budget: { available: -1 } });
    expect((await router.query(FIVE)).status).toBe(200);
    expect(await router.metric('timbre_router_cost_outcomes_total', { outcome: 'throttled' })).toBe(2);
    expect(await router.metric('timbre_router_cost_outcomes_total', { outcome: 'too_expensive' })).toBe(2);
    expect(await router.metric('timbre_router_cost_estimated_points', { plan: 'anonymous' })).toBeGreaterThan(0);
  });
});

describe('a subscription', () => {
  const TICKS = 'subscription { ticks(count: 5) { sequence person { name } } }';

  test('pays at its start and for every event, and ends when it cannot', async () => {
    const router = await routerWith({ budget: budget(7) });
    const { events, failure } = await collect(router.wsClient(), { query: TICKS }, () => graph.tick());
    expect(events.map(({ extensions }) => extensions)).toEqual([
      { cost: { actual: 2, budget: { limit: 7, available: 3, restoreRate: SLOW } } },
      { cost: { actual: 2, budget: { limit: 7, available: 1, restoreRate: SLOW } } },
    ]);
    expect(failure).toMatchObject([
      {
        message: expect.stringMatching(/^The subscription has ended. It needs 2 points and 1 are left/),
        extensions: { code: 'THROTTLED', details: { cost: 2, available: 1 } },
      },
    ]);
    await expect.poll(() => graph.openStreams()).toBe(0);
  });

  test('does not start without points', async () => {
    const router = await routerWith({ budget: budget(1) });
    const { events, failure } = await collect(router.wsClient(), { query: TICKS });
    expect(events).toEqual([]);
    expect(failure).toMatchObject([{ extensions: { code: 'THROTTLED' } }]);
    expect(graph.openStreams()).toBe(0);
  });
});
