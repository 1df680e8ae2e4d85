import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ANONYMOUS_PRINCIPAL } from '../auth/principal.ts';
import { compose } from '../testing/compose.ts';
import { createTestIssuer } from '../testing/test-issuer.ts';
import { startTestRouter } from '../testing/test-router.ts';
import { startTestSubgraph } from '../testing/test-subgraph.ts';
import { createOverrides } from './overrides.ts';

const LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@override"])';
const OLD = `${LINK} type Query { bill: Bill } type Bill @key(fields: "id") { id: ID! all: String none: String mine: String }`;
const FRESH = `${LINK} type Bill @key(fields: "id") {
  id: ID!
  all: String @override(from: "old", label: "percent(100)")
  none: String @override(from: "old", label: "percent(0)")
  mine: String @override(from: "old", label: "beta")
}`;

const bill = (from: string) => ({ id: 'b1', all: from, none: from, mine: from });

async function startBills() {
  const old = await startTestSubgraph('old', OLD, {
    Query: { bill: () => bill('old') },
    Bill: { __resolveReference: () => bill('old') },
  });
  const fresh = await startTestSubgraph('fresh', FRESH, { Bill: { __resolveReference: () => bill('fresh') } });
  const urls: Record<string, string> = { old: old.url, fresh: fresh.url };
  return {
    supergraph: compose({ old: OLD, fresh: FRESH }),
    subgraphUrl: (name: string) => urls[name],
    close: () => Promise.all([old.stop(), fresh.stop()]),
  };
}

let graph: Awaited<ReturnType<typeof startBills>>;
beforeAll(async () => {
  graph = await startBills();
});
afterAll(() => graph.close());

test('a field comes from where its label sends the caller, whoever asked before', async () => {
  const issuer = await createTestIssuer();
  const holdsOverride = (label: string, { subject }: { subject: string | null }) =>
    label === 'beta' && subject === 'ada';
  const router = await startTestRouter(graph, { issuer, holdsOverride });
  const ask = async (sub: string) =>
    (await router.query('{ bill { all none mine } }', { token: await issuer.sign({ sub }) })).data?.['bill'];

  expect(await ask('bob')).toEqual({ all: 'fresh', none: 'old', mine: 'old' });
  expect(await ask('ada')).toEqual({ all: 'fresh', none: 'old', mine: 'fresh' });
  expect(await ask('bob')).toEqual({ all: 'fresh', none: 'old', mine: 'old' });
  await router.close();
});

describe('percent(N)', () => {
  const principal = (subject: string) => ({ ...ANONYMOUS_PRINCIPAL, issuer: 'https://issuer.test/', subject });
  const everybody = Array.from({ length: 2_000 }, (_, index) => principal(`user-${index}`));

  test('is about that share of the principals, and always the same ones', () => {
    const overridesOf = createOverrides(['percent(25)']);
    const held = everybody.filter((each) => overridesOf(each).length > 0);
    expect(held.length / everybody.length).toBeGreaterThan(0.2);
    expect(held.length / everybody.length).toBeLessThan(0.3);
    expect(everybody.filter((each) => overridesOf({ ...each }).length > 0)).toEqual(held);
  });

  test('of two fields with labels of their own is drawn twice', () => {
    const overridesOf = createOverrides(['percent(50)', 'percent(50.0)']);
    const counts = new Set(everybody.map((each) => overridesOf(each).length));
    expect(counts).toEqual(new Set([0, 1, 2]));
  });
});
