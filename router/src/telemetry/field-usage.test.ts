import { Registry } from 'prom-client';
import { afterEach, expect, test } from 'vitest';
import { compose } from '../testing/compose.ts';
import { collect, startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import { startTestSubgraph } from '../testing/test-subgraph.ts';

const SDL = /* GraphQL */ `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
  interface Named {
    name: String
  }
  type Person implements Named {
    id: ID!
    name(upper: Boolean, style: Style): String
    nick: String @deprecated(reason: "Use name.")
    never: String @deprecated(reason: "Nobody asked.")
    friends(where: Filter, first: Int @deprecated(reason: "All are few.")): [Person!]
  }
  enum Style {
    PLAIN
    FANCY @deprecated(reason: "Too fancy.")
  }
  input Filter {
    name: String
    alias: String @deprecated(reason: "Gone.")
    style: Style
    and: [Filter!]
  }
  type Query {
    me(filter: Filter): Person
    named: Named
  }
  type Subscription {
    people: Person
  }
`;

const ME = { __typename: 'Person', id: 'p1', name: 'Ada', nick: 'a', never: null, friends: [] };
const resolvers = {
  Named: { __resolveType: () => 'Person' },
  Query: { me: () => ME, named: () => ME },
  Subscription: {
    people: {
      subscribe: async function* people() {
        yield ME;
      },
      resolve: (person: unknown) => person,
    },
  },
};

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function start() {
  const subgraph = await startTestSubgraph('people', SDL, resolvers);
  closing.push(() => subgraph.stop());
  const registry = new Registry();
  const router = await startTestRouter(
    { supergraph: compose({ people: SDL }), subgraphUrl: () => subgraph.url },
    { registry },
  );
  closing.push(() => router.close());
  return { router, registry };
}

const headers = (name: string, version: string) => ({
  'apollographql-client-name': name,
  'apollographql-client-version': version,
});

function usage(router: TestRouter, filter: Parameters<TestRouter['usage']>[0] = {}) {
  return Object.fromEntries(
    router
      .usage(filter)
      .coordinates.map(({ coordinate, clients }) => [
        coordinate,
        clients.map(({ name, version, count }) => `${name} ${version} ${count}`),
      ]),
  );
}

test('fields, arguments, input fields and enum values are counted by client and version, once per request', async () => {
  const { router } = await start();
  const query = /* GraphQL */ `
    query Me($skip: Boolean!) {
      me(filter: { name: "x", and: [{ alias: "y" }] }) {
        ...Parts
        again: id
        nick @skip(if: $skip)
      }
    }
    fragment Parts on Person {
      id
      name(style: FANCY)
    }
  `;
  const other = 'query Named { named { name ... on Person { never } } __typename __schema { types { name } } }';
  for (const skip of [true, false]) await router.query(query, { variables: { skip }, headers: headers('web', '1') });
  await router.query(query, { variables: { skip: true }, headers: headers('web', '2') });
  await router.query(other);
  await router.query('{ nothing }', { headers: headers('web', '3') });

  const thrice = ['web 1 2', 'web 2 1'];
  expect(usage(router)).toEqual({
    'Query.me': thrice,
    'Query.me(filter:)': thrice,
    'Person.id': thrice,
    'Person.name': thrice,
    'Person.name(style:)': thrice,
    'Person.nick': thrice,
    'Style.FANCY': thrice,
    'Filter.name': thrice,
    'Filter.and': thrice,
    'Filter.alias': thrice,
    'Query.named': ['(none) (none) 1'],
    'Named.name': ['(none) (none) 1'],
    'Person.never': ['(none) (none) 1'],
  });
  expect(Object.keys(usage(router, { coordinate: 'Person.name' }))).toEqual(['Person.name', 'Person.name(style:)']);
  expect(Object.keys(usage(router, { coordinate: 'Filter' }))).toHaveLength(3);
});

test('what is deprecated is found in values of variables, too, and listed where nobody uses it', async () => {
  const { router, registry } = await start();
  const query = 'query Me($filter: Filter, $styles: Style) { me(filter: $filter) { name(style: $styles) } }';
  const variables = { filter: { and: [{ and: { alias: null } }, { style: 'FANCY' }] }, styles: 'PLAIN' };
  await router.query(query, { variables, headers: headers('app', '7') });
  await router.query(query, { variables: { filter: null }, headers: headers('app', '7') });
  const client = router.wsClient();
  await collect(client, { query: 'subscription { people { nick } }' });

  expect(usage(router, { deprecated: true })).toEqual({
    'Filter.alias': ['app 7 1'],
    'Person.friends(first:)': [],
    'Person.never': [],
    'Person.nick': ['(none) (none) 1'],
    'Style.FANCY': ['app 7 1'],
  });
  expect(router.usage({ coordinate: 'Person.nick' }).coordinates[0]?.deprecated).toBe('Use name.');
  const text = await registry.metrics();
  expect(text).toContain('timbre_router_deprecated_usage_total{coordinate="Filter.alias",client="app"} 1');
  expect(text).toContain('timbre_router_deprecated_usage_total{coordinate="Person.nick",client="(none)"} 1');
  expect(text).not.toMatch(/deprecated_usage_total\{coordinate="(?:Query.me|Person.never)"/);
});

test('a reload keeps the counts and tells what is deprecated now', async () => {
  const { router } = await start();
  await router.query('{ me { nick name } }');
  const changed = SDL.replace('nick: String @deprecated(reason: "Use name.")', 'nick: String').replace(
    'name(upper: Boolean, style: Style): String',
    'name(upper: Boolean, style: Style): String @deprecated',
  );
  await router.reload(compose({ people: changed }));
  await router.query('{ me { nick name } }');
  expect(usage(router, { deprecated: true, coordinate: 'Person' })).toMatchObject({
    'Person.name': ['(none) (none) 2'],
  });
  const [nick] = router.usage({ coordinate: 'Person.nick' }).coordinates;
  expect(nick).toMatchObject({ deprecated: null, count: 2 });
});

test('clients that invent names and documents are counted together beyond the first hundred', async () => {
  const { router } = await start();
  for (let at = 0; at < 300; at += 30) {
    await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        router.query(`query Q${at + i} { __typename named { name } }`, { headers: headers(`c${at + i}`, 'x') }),
      ),
    );
  }
  await router.query('{ named { name } }', { headers: headers('n'.repeat(200), 'x') });
  const [named] = router.usage({ coordinate: 'Query.named' }).coordinates;
  expect(named?.count).toBe(301);
  expect(named?.clients).toHaveLength(101);
  expect(named?.clients[0]).toEqual({ name: '(other)', version: '(other)', count: 201 });
});
