import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfiguration } from '../configuration/read-configuration.ts';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { codesOf, startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import { GENEROUS_LIMITS } from './operation-limits.ts';
import type { OperationLimits } from './operation-limits.ts';

/** Those of Timbre's own graph. */
let limits: OperationLimits;
let graph: TestGraph;
let strict: TestRouter;
let open: TestRouter;

beforeAll(async () => {
  graph = await startTestGraph();
  const file = fileURLToPath(new URL('../../router.yaml', import.meta.url));
  limits = { ...GENEROUS_LIMITS, ...(await readConfiguration(file, {})).limits };
  strict = await startTestRouter(graph, { limits });
  open = await startTestRouter(graph);
});

afterAll(async () => {
  await Promise.all([strict.close(), open.close()]);
  await graph.close();
});

/** A query of this many levels of fields below one another. */
function query(depth: number): string {
  const steps = Array.from({ length: depth - 2 }, (_, i) => (i % 2 === 0 ? 'favourite' : 'owner'));
  return `{ person(id: "p1") { ${steps.join(' { ')} ${steps.length > 0 ? '{' : ''} id ${'}'.repeat(depth)}`;
}
const aliases = (count: number) => `{ ${Array.from({ length: count }, (_, i) => `a${i}: __typename`).join(' ')} }`;

describe('depth', () => {
  test('is allowed up to the limit, and named beyond it', async () => {
    expect((await strict.query(query(limits.maxDepth))).errors).toEqual([]);
    const answer = await strict.query(query(limits.maxDepth + 1));
    expect(answer.errors).toMatchObject([
      {
        message: 'The operation is 21 levels deep; the limit is 20.',
        extensions: { code: 'OPERATION_LIMIT_EXCEEDED', details: { limit: 'depth', maximum: 20, actual: 21 } },
      },
    ]);
  });

  test('of ten thousand is refused before anything recursive sees it, in both configurations', async () => {
    for (const router of [strict, open]) {
      for (const document of [
        query(10_000),
        `{ a${'(b: ['.repeat(10_000)}`,
        `query ($a: ${'['.repeat(10_000)}Int${']'.repeat(10_000)}) { __typename }`,
      ]) {
        const answer = await router.query(document);
        expect(codesOf(answer)).toEqual(['OPERATION_LIMIT_EXCEEDED']);
        expect(answer.errors[0]?.message).toMatch(/levels deep; the limit is (?:20|100)\./);
      }
    }
    expect((await open.query('{ who { userId } }')).errors).toEqual([]);
  });

  test('counts through fragments', async () => {
    const fragments = Array.from(
      { length: 30 },
      (_, i) => `fragment F${i} on Person { favourite { owner { ...F${i + 1} } } }`,
    );
    const answer = await strict.query(
      `{ person(id: "p1") { ...F0 } } ${fragments.join(' ')} fragment F30 on Person { id }`,
    );
    expect(answer.errors).toMatchObject([{ extensions: { details: { limit: 'depth', actual: 62 } } }]);
  });
});

describe('aliases', () => {
  test('fifty are too many for our own graph and few for any', async () => {
    expect((await strict.query(aliases(50))).errors).toMatchObject([
      {
        message: 'The operation has 50 aliases; the limit is 30.',
        extensions: { code: 'OPERATION_LIMIT_EXCEEDED', details: { limit: 'aliases', maximum: 30, actual: 50 } },
      },
    ]);
    expect((await open.query(aliases(50))).errors).toEqual([]);
    expect(codesOf(await open.query(aliases(GENEROUS_LIMITS.maxAliases + 1)))).toEqual(['OPERATION_LIMIT_EXCEEDED']);
  });

  test('count as often as their fragment is spread', async () => {
    const spreads = Array.from({ length: 10 }, (_, i) => `p${i}: person(id: "${i}") { ...A }`).join(' ');
    const answer = await strict.query(`{ ${spreads} } fragment A on Person { a: id b: id c: id }`);
    expect(answer.errors).toMatchObject([{ extensions: { details: { limit: 'aliases', actual: 40 } } }]);
  });
});

describe('size', () => {
  test('root fields, tokens and fields behind fragments have limits of their own', async () => {
    const roots = Array.from({ length: 21 }, () => '__typename').join(' ');
    expect((await strict.query(`{ ${roots} }`)).errors).toMatchObject([
      { extensions: { details: { limit: 'rootFields' } } },
    ]);
    const tokens = `{ who { ${'userId '.repeat(limits.maxTokens)} } }`;
    expect((await strict.query(tokens)).errors).toMatchObject([{ extensions: { details: { limit: 'tokens' } } }]);
    const bomb = Array.from(
      { length: 17 },
      (_, i) => `fragment F${i} on Person { ...F${i + 1} ... on Person { ...F${i + 1} } }`,
    );
    const answer = await open.query(`{ person(id: "p1") { ...F0 } } ${bomb.join(' ')} fragment F17 on Person { id }`);
    expect(answer.errors).toMatchObject([{ extensions: { details: { limit: 'fields', actual: 2 ** 17 + 1 } } }]);
  });

  test('a fragment that spreads itself is invalid and nothing worse', async () => {
    const answer = await strict.query(
      '{ person(id: "p1") { ...A } } fragment A on Person { favourite { owner { ...A } } }',
    );
    expect(codesOf(answer)).toEqual(['GRAPHQL_VALIDATION_FAILED']);
  });

  test('thousands of equal fields are refused before each is compared with each', async () => {
    const answer = await open.query(`{ person(id: "p1") { ${'secret { value } '.repeat(15_000)} } }`);
    expect(codesOf(answer)).toEqual(['OPERATION_LIMIT_EXCEEDED']);
  });

  test('a long chain of fragments does not overflow anything', async () => {
    const length = 12_000;
    const chain = Array.from({ length }, (_, i) => `fragment F${i} on Person{...F${i + 1}}`).join('');
    const answer = await open.query(`{person(id:"p1"){...F0}}${chain}fragment F${length} on Person{id}`);
    expect(answer.status).toBe(200);
    expect(codesOf(answer)).toEqual(['OPERATION_LIMIT_EXCEEDED']);
  });

  test('introspection nests only so far in our own graph', async () => {
    const deep = '{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }';
    expect(codesOf(await strict.query(deep))).toEqual(['GRAPHQL_VALIDATION_FAILED']);
  });
});

describe('directives', () => {
  const skips = (count: number) => '@skip(if: false) '.repeat(count);
  // Repeated ones are invalid, and counted before that is looked at.
  test.each([
    ['on fields', `{ who { userId ${skips(101)} } }`, 101],
    ['on the operation and its variables', `query ($a: Int ${skips(60)}) ${skips(50)} { who { userId } }`, 110],
    [
      'on fragments',
      `{ who { ... ${skips(50)} { ...F ${skips(50)} } } } fragment F on Who ${skips(5)} { userId }`,
      105,
    ],
    [
      'as often as their fragment is spread',
      `{ who { ${'...F '.repeat(11)} } } fragment F on Who { userId ${skips(10)} }`,
      110,
    ],
  ])('%s are counted', async (_name, document, actual) => {
    expect((await strict.query(document)).errors).toMatchObject([
      {
        message: `The operation has ${actual} directives; the limit is 100.`,
        extensions: { code: 'OPERATION_LIMIT_EXCEEDED', details: { limit: 'directives', maximum: 100, actual } },
      },
    ]);
  });

  test('that defer have a limit of their own, by what is delivered', async () => {
    const deferring = (spreads: number) =>
      `{ person(id: "p1") { ${'... { ...D } '.repeat(spreads)} } } fragment D on Person { id ... @defer { name } }`;
    expect((await strict.query(deferring(20))).errors).toEqual([]);
    expect((await strict.query(deferring(21))).errors).toMatchObject([
      {
        message: 'The operation defers 21 fragments; the limit is 20.',
        extensions: { details: { limit: 'defers', maximum: 20, actual: 21 } },
      },
    ]);
  });
});

describe('input', () => {
  const document = 'query ($id: ID!) { person(id: $id) { id } }';
  const ids = (count: number) => Array.from({ length: count }, (_, i) => `p${i}`);

  test.each([
    ['a list', { id: ids(501) }],
    ['a list in a list', { id: [[], ids(501)] }],
    ['a list in an object of a variable that nothing declares', { other: { deep: [{ ids: ids(501) }] } }],
  ])('%s is as long as the limit says', async (_name, variables) => {
    expect((await strict.query(document, { variables })).errors).toMatchObject([
      {
        message: 'The operation holds a list of 501 items; the limit is 500.',
        extensions: { code: 'OPERATION_LIMIT_EXCEEDED', details: { limit: 'listLength', maximum: 500, actual: 501 } },
      },
    ]);
  });

  test('a list in the document is as long as the limit says', async () => {
    const list = (count: number) => `{ person(id: [${'"a" '.repeat(count)}]) { id } }`;
    expect(codesOf(await strict.query(list(500)))).toEqual(['GRAPHQL_VALIDATION_FAILED']);
    expect(codesOf(await strict.query(list(501)))).toEqual(['OPERATION_LIMIT_EXCEEDED']);
  });

  test('what is nested too deep is refused before anything recursive sees it, in both configurations', async () => {
    const nested = (depth: number): unknown => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`);
    expect(codesOf(await strict.query(document, { variables: { id: nested(21) } }))).toEqual([
      'OPERATION_LIMIT_EXCEEDED',
    ]);
    for (const router of [strict, open]) {
      const answer = await router.query(document, { variables: { other: nested(3_000) } });
      expect(answer.errors).toMatchObject([
        { extensions: { code: 'OPERATION_LIMIT_EXCEEDED', details: { limit: 'inputDepth' } } },
      ]);
    }
  });
});
