import fc from 'fast-check';
import { expect, inject, test } from 'vitest';
import { startConformanceGraph } from './harness/conformance-graph.ts';
import { askBoth } from './harness/expect-same.ts';
import { randomChains } from './harness/random-chains.ts';

/*
 * Random graphs in which fields require fields that require fields, against the oracle. The long run:
 * FAST_CHECK_RUNS=10000 npx vitest run router/src/conformance/random-chains.test.ts
 */
const GRAPHS = Math.ceil(inject('fastCheckRuns') / 50);
const MS_PER_GRAPH = 5000;

test(
  `${GRAPHS} random graphs of chained requirements are answered as one server would answer them`,
  { timeout: 60_000 + GRAPHS * MS_PER_GRAPH },
  async () => {
    const property = fc.asyncProperty(randomChains, async ({ definition, queries }) => {
      const graph = await startConformanceGraph(definition);
      try {
        for (const query of queries) {
          const { truth, answer } = await askBoth(graph, { query, variables: {} });
          expect(answer.errors, query).toEqual([]);
          expect(answer.text, query).toBe(truth.text);
        }
      } finally {
        await graph.close();
      }
    });
    await fc.assert(property, { numRuns: GRAPHS, endOnFailure: true });
  },
);
