import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';

let graph: TestGraph;
let router: TestRouter;

beforeAll(async () => {
  graph = await startTestGraph();
  router = await startTestRouter(graph);
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

async function parts(query: string, variables: object): Promise<unknown[]> {
  const response = await fetch(router.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'multipart/mixed;deferSpec=20220824' },
    body: JSON.stringify({ query, variables }),
  });
  const [, ...bodies] = (await response.text()).split('--graphql');
  return bodies.filter((body) => body.includes('{')).map((body): unknown => JSON.parse(body.slice(body.indexOf('{'))));
}

const PERSON = 'query ($in: Boolean!) { person(id: "p1") {';

test.each([
  ['around it', `${PERSON} ... @include(if: $in) { ... @defer { favourite { label owner { name } } } } } }`],
  ['in it', `${PERSON} ... @defer { ... @include(if: $in) { favourite { owner { name } } } } } }`],
  [
    'on what it stands in',
    `${PERSON} favourite @include(if: $in) { label ... @defer { owner { name voices { label } } } } } }`,
  ],
  [
    'on what another stands in',
    `${PERSON} ... @defer { favourite @include(if: $in) { owner { name ... @defer { unlucky } } } } } }`,
  ],
])('a deferred fragment ends also where a condition %s leaves it out', async (_where, query) => {
  for (const isIn of [false, true]) {
    const updates = await parts(query, { in: isIn });
    expect(updates.at(-1)).not.toMatchObject({ hasNext: true });
    expect(JSON.stringify(updates).includes('Person p1')).toBe(isIn);
  }
});
