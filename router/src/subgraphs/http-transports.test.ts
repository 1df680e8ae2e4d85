import { expect, test } from 'vitest';
import { startTestGraph } from '../testing/test-graph.ts';
import { codesOf, startTestRouter } from '../testing/test-router.ts';

test('the metrics tell which subgraph is not called and what was repeated', async () => {
  const graph = await startTestGraph();
  const router = await startTestRouter(
    {
      supergraph: graph.supergraph,
      subgraphUrl: (name) => (name === 'voices' ? 'http://127.0.0.1:9/graphql' : graph.subgraphUrl(name)),
    },
    { http: { retries: 1, breaker: { minimumCalls: 3, openMs: 60_000 } } },
  );
  const voice = (n: number) => router.query(`{ voice(id: "v${n}") { id } who { userId } }`);
  expect(await router.metric('timbre_router_subgraph_breaker_state')).toBe(0);
  for (let n = 0; n < 3; n += 1) expect(codesOf(await voice(n))).toEqual(['SUBGRAPH_UNAVAILABLE']);
  expect(await router.metric('timbre_router_subgraph_breaker_state')).toBe(2);
  expect(await router.metric('timbre_router_subgraph_retries_total')).toBe(3);

  const shut = await voice(3);
  expect(shut.errors).toMatchObject([{ path: ['voice'], extensions: { code: 'SUBGRAPH_UNAVAILABLE' } }]);
  expect(shut.data).toEqual({ voice: null, who: { userId: null } });
  expect(await router.metric('timbre_router_subgraph_retries_total')).toBe(3);
  await router.close();
  await graph.close();
});
