import { describe, expect, test } from 'vitest';
import { conformanceGraph } from './harness/conformance-graph.ts';
import { expectSame } from './harness/expect-same.ts';

const graph = conformanceGraph({
  subgraphs: {
    rooms: /* GraphQL */ `
      type Query {
        room: Room
        rooms: [Room!]
        place: Place
      }
      interface Place {
        id: ID!
      }
      type Room implements Place @key(fields: "id") {
        id: ID!
        name: String
        area: Int
        guest: Guest
      }
      type Guest @key(fields: "id") {
        id: ID!
        name: String
      }
    `,
    stays: /* GraphQL */ `
      type Room @key(fields: "id") {
        id: ID!
        area: Int @external
        nights: Int
        rate(season: String = "low"): Int @requires(fields: "area")
      }
      type Guest @key(fields: "id") {
        id: ID!
        stays: [Room!]
      }
    `,
    weather: /* GraphQL */ `
      type Query {
        sunny: Boolean
      }
    `,
  },
  domain() {
    const stays: object[] = [];
    const guest = { __typename: 'Guest', id: 'g1', name: 'Ada', stays };
    const room = (id: string, area: number) => ({
      __typename: 'Room',
      id,
      name: `Room ${id}`,
      area,
      nights: area / 10,
      guest,
    });
    const rooms = [room('1', 10), room('2', 20)];
    stays.push(...rooms);
    return {
      roots: { Query: { room: rooms[0], rooms, place: rooms[1], sunny: true } },
      records: [...rooms, guest],
      computed: { 'Room.rate': ({ area }, { season }) => Number(area) * (season === 'low' ? 1 : 2) },
    };
  },
});

const QUERIES = [
  '{ room { name @skip(if: $a) nights @include(if: $b) } }',
  '{ room @include(if: $a) { name } rooms @skip(if: $b) { nights } }',
  '{ rooms { ... @include(if: $a) { name nights } ... on Room @skip(if: $b) { area rate } } }',
  '{ rooms { ...R @include(if: $a) id ...R @skip(if: $b) } } fragment R on Room { nights guest { name } }',
  '{ rooms { nights @include(if: $a) @skip(if: $b) guest @skip(if: $a) { stays @include(if: $b) { rate } } } }',
  '{ room { nights @include(if: $a) } room { nights @include(if: $b) } }',
  '{ room { guest { name @include(if: $a) } guest @skip(if: $b) { name } } }',
  '{ sunny @include(if: $a) ... @skip(if: $b) { room { rate(season: "high") } } }',
  '{ place { ... on Room @include(if: $a) { nights ... @include(if: $b) { area } } } }',
  '{ ... @include(if: $a) { ... @include(if: $b) { room { nights } } } }',
  '{ room { __typename @include(if: $a) nights @skip(if: $b) } __typename @skip(if: $a) }',
  '{ __typename @include(if: $a) __schema @skip(if: $b) { queryType { name } } }',
].map((query) => {
  const [operation = '', ...fragments] = query.split(/ (?=fragment )/);
  return ['query ($a: Boolean!, $b: Boolean!) ' + operation, ...fragments].join(' ');
});

const VALUES = [true, false].flatMap((a) => [true, false].map((b) => ({ a, b })));

describe('@skip and @include by variables', () => {
  test.each(QUERIES)('%s', async (query) => {
    for (const variables of VALUES) await expectSame(graph(), query, { variables });
  });

  test('by the default of a variable', async () => {
    const query =
      'query ($a: Boolean! = true, $b: Boolean = false) { room { name @skip(if: $a) nights @include(if: $b) } }';
    await expectSame(graph(), query);
    await expectSame(graph(), query, { variables: { a: false, b: true } });
  });
});

describe('@skip and @include by literals', () => {
  test.each([
    '{ room { name @skip(if: true) nights @include(if: true) } }',
    '{ room { name @skip(if: true) } }',
    '{ room { ... @skip(if: true) { name } } sunny }',
    '{ room @include(if: false) { name } }',
    '{ rooms { ... on Room @include(if: false) { nights } id @include(if: true) @skip(if: false) } }',
  ])('%s', async (query) => {
    await expectSame(graph(), query);
  });
});

test('a subgraph is not called for what is left out', async () => {
  const query = 'query ($a: Boolean!) { rooms { name nights @include(if: $a) } }';
  const { calls } = await expectSame(graph(), query, { variables: { a: false } });
  expect(calls.map(({ subgraph }) => subgraph)).toEqual(['rooms']);
});
