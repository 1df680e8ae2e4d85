import { describe, expect, test } from 'vitest';
import { conformanceGraph } from './harness/conformance-graph.ts';
import type { Args } from './harness/domain.ts';
import { expectSame } from './harness/expect-same.ts';

const graph = conformanceGraph({
  subgraphs: {
    library: /* GraphQL */ `
      type Query {
        node(id: ID!): Node
        nodes: [Node]
        media: [Media!]!
        found: [Found!]
        favourite: Media
        shelves: [[Media]]
      }
      interface Node {
        id: ID!
      }
      interface Media implements Node @key(fields: "id") {
        id: ID!
        title: String
        sequel: Media
      }
      type Book implements Node & Media @key(fields: "id") {
        id: ID!
        title: String
        sequel: Media
        pages: Int
        author: Person
      }
      type Film implements Node & Media @key(fields: "id") {
        id: ID!
        title(upper: Boolean! = false): String
        sequel: Media
        minutes: Int
        cast: [Person!]
      }
      type Person implements Node @key(fields: "id") {
        id: ID!
        name: String
      }
      type Note {
        text: String
      }
      union Found = Book | Film | Person | Note
    `,
    people: /* GraphQL */ `
      type Query {
        someone: Being
        beings: [Being!]
      }
      interface Being {
        age: Int
        friends: [Being!]
      }
      type Person implements Being @key(fields: "id") {
        id: ID!
        age: Int
        friends: [Being!]
      }
      type Dog implements Being @key(fields: "tag") {
        tag: String!
        age: Int
        friends: [Being!]
        owner: Person
      }
      type Book @key(fields: "id") {
        id: ID!
        readers: [Person!]
      }
      type Film @key(fields: "id") {
        id: ID!
        viewers: [Person!]
      }
    `,
    ratings: /* GraphQL */ `
      type Query {
        rated: [Media!]
      }
      type Media @key(fields: "id") @interfaceObject {
        id: ID!
        stars: Float
        similar: [Media!]
        title: String @external
        headline(loud: Boolean! = false): String @requires(fields: "title")
      }
    `,
    prices: /* GraphQL */ `
      type Media @key(fields: "id") @interfaceObject {
        id: ID!
        price: Int
      }
    `,
  },
  domain() {
    const person = (id: string, friends: object[] = []) => ({
      __typename: 'Person',
      id,
      name: `Name of ${id}`,
      age: id.length,
      friends,
    });
    const ada = person('ada');
    const dog = { __typename: 'Dog', tag: 'rex', age: 3, friends: [ada], owner: ada };
    const bob = person('bob', [ada, dog]);
    const media = (id: string, price: number) => ({ id, stars: price / 2, price });
    const film = {
      __typename: 'Film',
      ...media('f1', 9),
      title: ({ upper = false }: Args) => (upper === true ? 'A FILM' : 'A film'),
      minutes: 90,
      cast: [ada, bob],
      viewers: [bob],
    };
    const book = {
      __typename: 'Book',
      ...media('b1', 5),
      title: 'A book',
      pages: 300,
      author: ada,
      readers: [bob, ada],
      sequel: film,
      similar: [film],
    };
    const second = {
      __typename: 'Book',
      ...media('b2', 7),
      title: null,
      pages: 20,
      readers: [],
      similar: [book, film],
    };
    const note = { __typename: 'Note', text: 'A note' };
    const all = [book, film, second, ada, bob];
    return {
      roots: {
        Query: {
          node: ({ id }: Args) => all.find((record) => record.id === id) ?? null,
          nodes: [book, ada, null, film],
          media: [book, film, second],
          found: [note, ada, film, book],
          favourite: book,
          shelves: [[book, null], null, [], [film, second]],
          someone: dog,
          beings: [ada, dog, bob],
          rated: [second, film],
        },
      },
      records: [...all, dog],
      computed: {
        'Media.headline': ({ title }, { loud }) => `${String(title)}${loud === true ? '!' : '.'}`,
      },
    };
  },
});

test.each([
  ['fields of an interface', '{ nodes { id } media { id sequel { id } } }'],
  ['__typename, aliased too', '{ nodes { __typename kind: __typename id } found { __typename } }'],
  ['a fragment per type', '{ nodes { ... on Book { pages } ... on Person { name } ... on Film { minutes } } }'],
  ['a fragment on another interface', '{ nodes { ... on Media { title } } favourite { ... on Node { id } } }'],
  ['a fragment on the union itself', '{ found { ... on Found { ... on Note { text } ... on Node { id } } } }'],
  [
    'one alias for different fields',
    '{ found { ... on Book { x: pages } ... on Film { x: minutes } ... on Person { y: name } } }',
  ],
  ['one field with different arguments', '{ media { ... on Film { title(upper: true) } ... on Book { title } } }'],
  [
    'fields of several subgraphs',
    '{ media { title ... on Book { readers { name } } ... on Film { viewers { name } } } }',
  ],
  ['members without fields of their own', '{ found { ... on Note { text } } }'],
  ['nothing that is selected on a member', '{ nodes { ... on Film { cast { name } } } }'],
  ['lists of lists', '{ shelves { __typename id ... on Book { readers { age } } } }'],
  [
    'an interface without a key',
    '{ beings { age ... on Dog { owner { name } } ... on Person { name } friends { age } } }',
  ],
  ['entities through an interface without a key', '{ someone { friends { ... on Person { name } } } }'],
  [
    'named fragments',
    'query { media { ...M sequel { ...M } } } fragment M on Media { id ...B } fragment B on Book { pages }',
  ],
  ['an unknown id', '{ node(id: "nobody") { id ... on Book { pages } } }'],
])('interfaces and unions: %s', async (_name, query) => {
  await expectSame(graph(), query);
});

describe('an interface object', () => {
  test.each([
    ['adds fields to every implementation', '{ media { title stars } favourite { stars price } }'],
    ['adds fields to one implementation', '{ media { ... on Book { stars pages } ... on Film { price } } }'],
    ['adds fields to an entity met as itself', '{ node(id: "f1") { ... on Film { stars minutes } } }'],
    ['leads from one to another', '{ media { stars price similar { stars price } } }'],
    ['gives entities whose type it does not know', '{ rated { __typename stars title } }'],
    [
      'gives entities whose type is asked for',
      '{ rated { __typename stars ... on Film { minutes } ... on Book { pages } } }',
    ],
    ['gives entities by an alias of their type', '{ rated { kind: __typename similar { kind: __typename id } } }'],
    ['requires fields of the implementations', '{ media { headline loud: headline(loud: true) } }'],
    ['is in lists of lists', '{ shelves { stars } }'],
    ['is below a union', '{ found { ... on Media { stars } ... on Person { age } } }'],
  ])('%s', async (_name, query) => {
    await expectSame(graph(), query);
  });

  test('is asked alone for what it has alone', async () => {
    const { calls } = await expectSame(graph(), '{ rated { id stars } }');
    expect(calls.map(({ subgraph }) => subgraph)).toEqual(['ratings']);
  });

  test('keeps what clients ask of its fields apart from what it requires', async () => {
    await expectSame(graph(), '{ media { title: id headline ... on Book { id: title stars } } }');
    await expectSame(graph(), '{ media { ... on Film { title(upper: true) } headline } }');
  });
});
