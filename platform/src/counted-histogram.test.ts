import { Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createCountedHistogram } from './counted-histogram.ts';

const named = { name: 'timbre_waits_seconds', help: 'How long it took.' };
const buckets = [0.01, 0.1, 1];
const labelNames = ['route', 'outcome'] as const;

function both() {
  const registries = [new Registry(), new Registry()] as const;
  for (const registry of registries) registry.setDefaultLabels({ service: 'test' });
  const [plain, counted] = registries;
  const theirs = new Histogram({ ...named, labelNames, buckets, registers: [plain] });
  const ours = createCountedHistogram({ ...named, labelNames, buckets, registry: counted });
  const observe = (route: string, outcome: string, value: number) => {
    theirs.observe({ route, outcome }, value);
    ours.with(route, outcome).observe(value);
  };
  return { observe, ours, registries };
}

test('it exposes what a histogram of prom-client does', async () => {
  const { observe, registries } = both();
  for (const value of [0, 0.01, 0.010_1, 0.1, 0.5, 1, 1.5, 70]) observe('/graphql', 'ok', value);
  for (const value of [-1, 0.25]) observe('/graphql', 'failed', value);
  observe('with "quotes"\n', 'ok', 0.5);
  const [plain, counted] = registries;
  expect(await counted.metrics()).toBe(await plain.metrics());
  expect(await plain.getMetricsAsJSON()).toMatchObject(await counted.getMetricsAsJSON());
  observe('/graphql', 'ok', 0.5);
  expect(await counted.metrics()).toBe(await plain.metrics());
});

test('nothing was observed yet', async () => {
  const { ours, registries } = both();
  const [plain, counted] = registries;
  ours.with('/graphql', 'ok');
  expect(await counted.metrics()).toBe(await plain.metrics());
});

test('without labels', async () => {
  const [plain, counted] = [new Registry(), new Registry()];
  new Histogram({ ...named, buckets, registers: [plain] }).observe(0.5);
  createCountedHistogram({ ...named, labelNames: [], buckets, registry: counted })
    .with()
    .observe(0.5);
  expect(await counted.metrics()).toBe(await plain.metrics());
});

test('what is no number is refused, and a name that is taken', () => {
  const registry = new Registry();
  const waits = createCountedHistogram({ ...named, labelNames, buckets, registry });
  expect(() => waits.with('/', 'ok').observe(Number.NaN)).toThrow(TypeError);
  expect(() => createCountedHistogram({ ...named, labelNames, buckets, registry })).toThrow('already been registered');
});
