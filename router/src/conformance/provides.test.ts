import { describe, expect, test } from 'vitest';
import { conformanceGraph } from './harness/conformance-graph.ts';
import { expectSame } from './harness/expect-same.ts';

const graph = conformanceGraph({
  subgraphs: {
    users: /* GraphQL */ `
      type Query {
        me: User
      }
      type User @key(fields: "id") {
        id: ID!
        name: String @shareable
        address: Address @shareable
        email: String @shareable
      }
      type Address {
        city: String @shareable
        street: String
      }
      interface Media {
        id: ID!
      }
      type Film implements Media @key(fields: "id") {
        id: ID!
        title: String @shareable
      }
      type Song implements Media @key(fields: "id") {
        id: ID!
        title: String @shareable
      }
    `,
    reviews: /* GraphQL */ `
      type Query {
        reviews: [Review!]
        latest: Review @provides(fields: "author { email }")
        seen: [Media] @provides(fields: "... on Film { title }")
      }
      type Review @key(fields: "id") {
        id: ID!
        body: String
        author: User @provides(fields: "name address { city }")
        rival: User
      }
      type User @key(fields: "id") {
        id: ID!
        name: String @external
        email: String @external
        address: Address @external
        reviews: [Review!]
      }
      type Address {
        city: String @external
      }
      interface Media {
        id: ID!
      }
      type Film implements Media @key(fields: "id") {
        id: ID!
        title: String @external
      }
      type Song implements Media @key(fields: "id") {
        id: ID!
      }
    `,
  },
  domain() {
    const user = (id: string, reviews: unknown[]) => ({
      __typename: 'User',
      id,
      name: `Name of ${id}`,
      email: `${id}@example.com`,
      address: { __typename: 'Address', city: `City of ${id}`, street: `Street of ${id}` },
      reviews,
    });
    const reviewsOfAda: object[] = [];
    const ada = user('ada', reviewsOfAda);
    const bob = user('bob', []);
    const review = { __typename: 'Review', id: 'r1', body: 'Good', author: ada, rival: bob };
    reviewsOfAda.push(review);
    const seen = [
      { __typename: 'Film', id: 'm1', title: 'A film' },
      { __typename: 'Song', id: 'm2', title: 'A song' },
    ];
    return {
      roots: { Query: { me: ada, reviews: [review], latest: review, seen } },
      records: [ada, bob, review, ...seen],
    };
  },
});

const subgraphsOf = ({ calls }: { calls: { subgraph: string }[] }) => calls.map(({ subgraph }) => subgraph);

describe('@provides', () => {
  test.each([
    ['a field', '{ reviews { author { name } } }'],
    ['fields of an object', '{ reviews { author { address { city } } } }'],
    ['on a path below a root field', '{ latest { author { email } } }'],
    ['on a member of an interface', '{ seen { ... on Film { title } } }'],
  ])('%s spares a call', async (_name, query) => {
    expect(subgraphsOf(await expectSame(graph(), query))).toEqual(['reviews']);
  });

  test.each([
    ['what is not provided beside what is', '{ reviews { author { name address { city street } } } }'],
    ['the same field where it is not provided', '{ reviews { rival { name } author { name } } }'],
    ['another path to the same type', '{ me { reviews { author { email } } } }'],
    ['another member of the interface', '{ seen { ... on Song { title } ... on Film { title } } }'],
  ])('%s is fetched from its own subgraph', async (_name, query) => {
    expect(subgraphsOf(await expectSame(graph(), query))).toContain('users');
  });
});
