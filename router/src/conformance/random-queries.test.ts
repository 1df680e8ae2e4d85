import fc from 'fast-check';
import { expect, inject, test } from 'vitest';
import { conformanceGraph } from './harness/conformance-graph.ts';
import { askBoth } from './harness/expect-same.ts';
import { market } from './harness/market.ts';
import { randomQuery } from './harness/random-query.ts';

/*
 * Queries that nobody thought of, against the oracle. A failure prints the seed and the smallest query
 * that fails. The long run: FAST_CHECK_RUNS=10000 npx vitest run router/src/conformance/random-queries.test.ts
 */
const RUNS = inject('fastCheckRuns');
const MS_PER_RUN = 200;

const graph = conformanceGraph(market);

test(
  `${RUNS} random queries are answered as one server would answer them`,
  { timeout: 60_000 + RUNS * MS_PER_RUN },
  async () => {
    const property = fc.asyncProperty(randomQuery(graph().oracle), async (operation) => {
      const { truth, answer } = await askBoth(graph(), operation);
      expect(answer.text).toBe(truth.text);
      expect(answer.paths.length > 0, JSON.stringify(answer.errors)).toBe(truth.paths.length > 0);
      // One server stops at the first error that nulls an object; subgraphs that answer at once each have theirs.
      if (truth.paths.every((path) => standsAtNull(answer.data, path))) expect(answer.paths).toEqual(truth.paths);
    });
    await fc.assert(property, { numRuns: RUNS });
  },
);

function standsAtNull(data: unknown, path: string): boolean {
  let value = data;
  for (const key of path.split('.')) {
    if (typeof value !== 'object' || value === null) return false;
    value = Object.entries(value).find(([name]) => name === key)?.[1];
  }
  return value === null;
}
