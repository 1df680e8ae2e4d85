import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCosting } from '../demand/costing.ts';
import { GENEROUS_LIMITS } from '../limits/operation-limits.ts';
import { loadSupergraph } from '../supergraph/load-supergraph.ts';
import { ANONYMOUS_SESSION } from '../testing/anonymous-session.ts';
import { compose } from '../testing/compose.ts';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { codesOf } from '../testing/test-router.ts';
import { createPrepare } from './prepare-operation.ts';

const LINK = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@interfaceObject"])`;

let graph: TestGraph;
beforeAll(async () => {
  graph = await startTestGraph();
});
afterAll(() => graph.close());

test('what was taken out is known in the operation that is given, whichever caches have let go of it', async () => {
  const prepare = createPrepare(await loadSupergraph(graph.supergraph), {
    limits: GENEROUS_LIMITS,
    costing: null,
    mayIntrospect: () => true,
    cacheSize: 1,
  });
  const ask = (query: string) => prepare({ query }, ANONYMOUS_SESSION);
  const query = '{ person(id: "p1") { name email } }';

  await ask(query);
  // Parsed, and refused before it is filtered: the first operation's parse leaves its cache, what was filtered stays.
  await expect(ask('query ($n: Int!) { people(first: $n) { id } }')).rejects.toThrow('$n');
  const { executable } = await ask(query);

  const person = executable.shapeFor({}).fieldsOf('Query')?.fields[0]?.value;
  const fields = person?.kind === 'object' ? person.object.fieldsOf('Person')?.fields : undefined;
  expect(fields?.map(({ name, denied }) => [name, denied])).toEqual([
    ['name', false],
    ['email', true],
  ]);
});

test('large documents push one another out of the caches long before a thousand of them are there', async () => {
  const plans: string[] = [];
  const prepare = createPrepare(await loadSupergraph(graph.supergraph), {
    limits: GENEROUS_LIMITS,
    costing: null,
    mayIntrospect: () => true,
    onPlan: (outcome) => plans.push(outcome),
  });
  const ask = (id: number) =>
    prepare({ query: `{ person(id: "${String(id).padEnd(30_000, 'x')}") { name } }` }, ANONYMOUS_SESSION);

  await ask(0);
  await ask(0);
  for (let id = 1; id <= 40; id += 1) await ask(id);
  await ask(0);

  expect([plans[1], plans.at(-1)]).toEqual(['hit', 'miss']);
});

test('who asks for the same while it is planned waits for that plan', async () => {
  const supergraph = await loadSupergraph(graph.supergraph);
  const planned: string[] = [];
  const plan = (document: string) => {
    planned.push(document);
    return supergraph.plan(document);
  };
  const prepare = createPrepare(
    { ...supergraph, plan },
    { limits: GENEROUS_LIMITS, costing: null, mayIntrospect: () => true },
  );
  const ask = () => prepare({ query: '{ person(id: "p1") { name } }' }, ANONYMOUS_SESSION);
  const [first, second] = await Promise.all([ask(), ask()]);
  expect(planned).toHaveLength(1);
  expect(second.executable).toBe(first.executable);
});

test('a chain of fragments around each of many fields is refused before it is written out', async () => {
  const prepare = createPrepare(await loadSupergraph(graph.supergraph), {
    limits: GENEROUS_LIMITS,
    costing: null,
    mayIntrospect: () => true,
  });
  const chain = Array.from({ length: 300 }, (_, i) => `fragment F${i} on Person { ...F${i + 1} }`).join(' ');
  const query = `{ person(id: "p1") { ... @defer { favourite { label } } ${'...F0 '.repeat(5_000)} } } ${chain} fragment F300 on Person { id }`;

  const started = performance.now();
  await expect(prepare({ query }, { ...ANONYMOUS_SESSION, incremental: true })).rejects.toThrow(
    'fragments written out',
  );
  // A second where it is cut short, more than a minute where it is not.
  expect(performance.now() - started).toBeLessThan(10_000);
});

test('fragments on each of many types are refused before they multiply', async () => {
  const types = ['A', 'B', 'C'];
  const sdl = compose({
    one: `${LINK}
      interface Item @key(fields: "id") { id: ID! next: Item }
      interface Aside { next: Item }
      ${types.map((name) => `type ${name} implements Item & Aside @key(fields: "id") { id: ID! next: Item }`).join(' ')}
      type Query { item: Item }`,
    two: `${LINK} type Item @key(fields: "id") @interfaceObject { id: ID! stars: Int }`,
  });
  const prepare = createPrepare(await loadSupergraph(sdl), {
    limits: GENEROUS_LIMITS,
    costing: null,
    mayIntrospect: () => true,
  });
  const depth = 15;
  const query = `{ item { ${'... on Aside { next { '.repeat(depth)} stars ${'} }'.repeat(depth)} } }`;
  await expect(prepare({ query }, ANONYMOUS_SESSION)).rejects.toThrow('fragments written out');
});

test('a fragment costs what it is, however often it is spread', async () => {
  const supergraph = await loadSupergraph(graph.supergraph);
  const prepare = createPrepare(supergraph, {
    limits: GENEROUS_LIMITS,
    costing: createCosting(supergraph, { mode: 'enforce', maximum: { default: 100 } }),
    mayIntrospect: () => true,
  });
  const length = 2_000;
  const chain = Array.from({ length }, (_, i) => `fragment F${i} on Person { ...F${i + 1} }`).join(' ');
  const query = `{ person(id: "p1") { ${'...F0 '.repeat(20_000)} } } ${chain} fragment F${length} on Person { favourite { label } }`;
  const started = performance.now();
  const { estimatedCost, executable } = await prepare({ query }, ANONYMOUS_SESSION);
  expect(estimatedCost).toBe(2);
  expect(executable.shapeFor({}).fieldsOf('Query')?.fields).toHaveLength(1);
  expect(performance.now() - started).toBeLessThan(5_000);
});

test('operations that nobody has planned yet do not wait in a line without an end', async () => {
  const prepare = createPrepare(await loadSupergraph(graph.supergraph), {
    limits: GENEROUS_LIMITS,
    costing: null,
    mayIntrospect: () => true,
  });
  const asked = Array.from({ length: 600 }, (_, index) =>
    prepare({ query: `{ person(id: "${index}") { name } }` }, ANONYMOUS_SESSION),
  );
  const refused = (await Promise.allSettled(asked)).filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(100);
  for (const { reason } of refused.filter((each) => each.status === 'rejected')) {
    expect(codesOf(reason)).toEqual(['SERVICE_UNAVAILABLE']);
  }
  await expect(prepare({ query: '{ person(id: "599") { name } }' }, ANONYMOUS_SESSION)).resolves.toBeDefined();
});
