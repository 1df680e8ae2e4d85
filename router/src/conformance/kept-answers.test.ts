import fc from 'fast-check';
import { expect, inject, test } from 'vitest';
import { askIncrementally } from './harness/ask-incrementally.ts';
import { conformanceGraph, startConformanceGraph } from './harness/conformance-graph.ts';
import { askBoth } from './harness/expect-same.ts';
import { market } from './harness/market.ts';
import { randomChains } from './harness/random-chains.ts';
import { randomQuery } from './harness/random-query.ts';

/*
 * What the router keeps is part of many answers, of one operation and of others, at once and later: none of them changes
 * what the others get. The long run: FAST_CHECK_RUNS=10000 npx vitest run router/src/conformance/kept-answers.test.ts
 */
const RUNS = Math.ceil(inject('fastCheckRuns') / 4);
const HALF = Math.ceil(RUNS / 2);
const MS_PER_RUN = 400;
const GRAPHS = Math.ceil(RUNS / 25);
const MS_PER_GRAPH = 5000;

const kept = { router: { responseCache: {} }, headers: { 'cache-control': 'public, max-age=3600' } };
const graph = conformanceGraph({ ...market, ...kept });
const HITS = 'timbre_router_response_cache_saved_calls_total';

test(
  `${RUNS} random queries, asked again and at once, are answered as one server would answer them`,
  { timeout: 60_000 + RUNS * MS_PER_RUN },
  async () => {
    const property = fc.asyncProperty(randomQuery(graph().oracle), async (operation) => {
      for (const times of [1, 3, 1]) {
        const answers = Array.from({ length: times }, () => askBoth(graph(), operation));
        for (const { truth, answer } of await Promise.all(answers)) expect(answer.text).toBe(truth.text);
      }
    });
    await fc.assert(property, { numRuns: RUNS });
    expect(await graph().router.metric(HITS)).toBeGreaterThan(RUNS);
  },
);

test(
  `${HALF} random queries with deferred parts are answered the same each time`,
  { timeout: 60_000 + RUNS * MS_PER_RUN },
  async () => {
    const { oracle, router } = graph();
    const property = fc.asyncProperty(randomQuery(oracle, { defer: true }), async (operation) => {
      const first = await askIncrementally(router.url, operation);
      for (let round = 0; round < 2; round += 1) {
        const { data, paths } = await askIncrementally(router.url, operation);
        expect({ data, paths }).toEqual({ data: first.data, paths: first.paths });
      }
    });
    await fc.assert(property, { numRuns: HALF });
  },
);

test(
  `${GRAPHS} random graphs of chained requirements are answered the same each time`,
  { timeout: 60_000 + GRAPHS * MS_PER_GRAPH },
  async () => {
    const property = fc.asyncProperty(randomChains, async ({ definition, queries }) => {
      const chains = await startConformanceGraph({ ...definition, ...kept });
      try {
        for (const query of [...queries, ...queries, ...queries]) {
          const { truth, answer } = await askBoth(chains, { query, variables: {} });
          expect(answer.text, query).toBe(truth.text);
        }
      } finally {
        await chains.close();
      }
    });
    await fc.assert(property, { numRuns: GRAPHS, endOnFailure: true });
  },
);
