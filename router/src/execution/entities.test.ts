import { createServer } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { listen } from '../testing/listen.ts';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { startTestRouter } from '../testing/test-router.ts';

const PEOPLE = '{ people(first: 3) { name favourite { label } } who { userId } }';

const requestSchema = z.object({
  variables: z.object({ representations: z.array(z.looseObject({ id: z.string() })).default([]) }),
});

let graph: TestGraph;
beforeAll(async () => {
  graph = await startTestGraph();
});
afterAll(() => graph.close());

/** Asks a router of whose subgraphs one answers what it is told to. */
async function askWith(answer: (ids: string[]) => unknown, query = PEOPLE, subgraph = 'voices') {
  const asked: string[][] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const { variables } = requestSchema.parse(JSON.parse(Buffer.concat(chunks).toString()));
      const ids = variables.representations.map(({ id }) => id);
      asked.push(ids);
      res.setHeader('content-type', 'application/json').end(JSON.stringify(answer(ids)));
    });
  });
  const url = `${await listen(server)}/graphql`;
  const router = await startTestRouter({
    supergraph: graph.supergraph,
    subgraphUrl: (name) => (name === subgraph ? url : graph.subgraphUrl(name)),
  });
  const { data, errors } = await router.query(query);
  await router.close();
  server.closeAllConnections();
  server.close();
  return {
    data,
    asked,
    errors: errors.map(({ message, path, extensions }) => ({ message, path, code: extensions?.['code'] })),
  };
}

const names = ['p0', 'p1', 'p2'].map((id) => `Person ${id}`);
const unharmed = { who: { userId: null } };
const without = { people: names.map((name) => ({ name, favourite: null })), ...unharmed };
const everywhere = [0, 1, 2].map((index) => ['people', index, 'favourite']);

test.each([
  ['fewer entities than were asked for', () => ({ data: { _entities: [null] } }), '1 entities where 3'],
  ['more entities', () => ({ data: { _entities: [null, null, null, null] } }), '4 entities where 3'],
  ['no list of entities', () => ({ data: { _entities: { id: 'p0' } } }), 'no entities where 3'],
  ['data without entities', () => ({ data: {} }), 'no entities where 3'],
])('%s is a failure at every field that was asked for, and only there', async (_name, answer, message) => {
  const { data, errors } = await askWith(answer);
  expect(data).toEqual(without);
  expect(errors.map(({ path }) => path)).toEqual(everywhere);
  for (const error of errors) {
    expect(error.code).toBe('SUBGRAPH_UNAVAILABLE');
    expect(error.message).toContain(message);
  }
});

test('entities that are nothing or no objects leave their fields null', async () => {
  const { data, errors } = await askWith(() => ({ data: { _entities: [null, 7, ['x']] } }));
  expect([data, errors]).toEqual([without, []]);
});

test.each([
  ['of another type', { __typename: 'Person', label: 'x' }, 'no Voice'],
  ['of a type that there is not', { __typename: 'Ghost', label: 'x' }, 'no Voice'],
  ['that is no object', 'x', 'no object for Person.favourite'],
])('a value %s becomes null with an error at its place', async (_name, favourite, message) => {
  const good = { favourite: { label: 'good' } };
  const { data, errors } = await askWith(() => ({ data: { _entities: [good, { favourite }, good] } }));
  expect(data?.['people']).toMatchObject([good, { favourite: null }, good]);
  expect(errors).toMatchObject([{ path: ['people', 1, 'favourite'], code: 'INTERNAL_SERVER_ERROR' }]);
  expect(errors[0]?.message).toContain(message);
  expect(errors[0]?.message).not.toContain('Ghost');
});

test('a leaf of another kind becomes null with an error at its place', async () => {
  const { data, errors } = await askWith((ids) => ({
    data: { _entities: ids.map((id) => ({ favourite: { label: id === 'p1' ? 7 : id } })) },
  }));
  expect(data?.['people']).toMatchObject([
    { favourite: { label: 'p0' } },
    { favourite: { label: null } },
    { favourite: { label: 'p2' } },
  ]);
  expect(errors).toMatchObject([{ path: ['people', 1, 'favourite', 'label'], code: 'INTERNAL_SERVER_ERROR' }]);
});

test('the error of one entity stands wherever that entity stands, in the names of the client', async () => {
  const { asked, errors } = await askWith(
    () => ({
      data: { _entities: [{ best: null }] },
      errors: [
        {
          message: 'No luck.',
          path: ['_entities', 0, 'best'],
          extensions: { code: 'GONE', stacktrace: ['secret'] },
        },
      ],
    }),
    '{ one: person(id: "p1") { best: favourite { label } } two: person(id: "p1") { best: favourite { label } } }',
  );
  expect(asked.flat().every((id) => id === 'p1')).toBe(true);
  expect(errors.toSorted((a, b) => String(a.path).localeCompare(String(b.path)))).toEqual([
    { message: 'No luck.', path: ['one', 'best'], code: 'GONE' },
    { message: 'No luck.', path: ['two', 'best'], code: 'GONE' },
  ]);
});

test('an entity that stands in many places is asked for once', async () => {
  const { data, asked } = await askWith(
    (ids) => ({
      data:
        ids.length === 0
          ? { person: { __typename: 'Person', id: 'p1' } }
          : { _entities: ids.map((name) => ({ name })) },
    }),
    '{ person(id: "p1") { voices(first: 3) { owner { name } } } }',
    'people',
  );
  expect(asked).toEqual([[], ['p1']]);
  const owner = { name: 'p1' };
  expect(data?.['person']).toEqual({ voices: [{ owner }, { owner }, { owner }] });
});

test('keys that would be a prototype stay what they are', async () => {
  const { data, errors } = await askWith(
    () =>
      JSON.parse(
        '{"data":{"_entities":[{"__proto__":{"polluted":1},"favourite":{"label":"x","__proto__":{"label":"y"}}}]}}',
      ),
    '{ person(id: "p1") { __proto__: favourite { label } } }',
  );
  expect(errors).toEqual([]);
  expect(JSON.stringify(data)).toBe('{"person":{"__proto__":null}}');
  expect(Reflect.get({}, 'polluted')).toBe(undefined);
});
