import { describe, test } from 'vitest';
import { conformanceGraph } from './harness/conformance-graph.ts';
import type { Args } from './harness/domain.ts';
import { expectSame } from './harness/expect-same.ts';

const graph = conformanceGraph({
  subgraphs: {
    accounts: /* GraphQL */ `
      type Query {
        user: User
        users: [User!]!
        shop: Shop
      }
      type User @key(fields: "id") {
        id: ID!
        locale: String!
        settings: Settings!
      }
      type Settings {
        currency: String!
      }
      type Shop @key(fields: "id") {
        id: ID!
        language: String!
      }
    `,
    posts: /* GraphQL */ `
      type User @key(fields: "id") @context(name: "reader") @context(name: "buyer") {
        id: ID!
        locale: String! @external
        settings: Settings! @external
        posts: [Post!]!
        best: Post
        cart: Cart
      }
      type Settings @external {
        currency: String!
      }
      type Shop @key(fields: "id") @context(name: "reader") {
        id: ID!
        language: String! @external
        post: Post
      }
      type Post @key(fields: "id") {
        id: ID!
        text(
          upper: Boolean! = false
          locale: String @fromContext(field: "$reader ... on User { locale } ... on Shop { language }")
        ): String
        related: [Note!]
      }
      type Note @key(fields: "id") {
        id: ID!
        hint(locale: String @fromContext(field: "$reader ... on User { locale } ... on Shop { language }")): String
      }
      type Cart @key(fields: "id") {
        id: ID!
        total(currency: String @fromContext(field: "$buyer { settings { currency } }")): String
      }
    `,
  },
  domain() {
    const note = (id: string) => ({
      __typename: 'Note',
      id,
      hint: ({ locale }: Args) => `Hint ${id} in ${String(locale)}`,
    });
    const notes = [note('n1'), note('n2')];
    const post = (id: string) => ({
      __typename: 'Post',
      id,
      text: ({ locale, upper }: Args) =>
        upper === true ? `POST ${id} IN ${String(locale)}` : `Post ${id} in ${String(locale)}`,
      related: notes,
    });
    const posts = [post('1'), post('2')];
    const user = (id: string, locale: string, currency: string) => ({
      __typename: 'User',
      id,
      locale,
      settings: { __typename: 'Settings', currency },
      posts,
      best: posts[0],
      cart: carts.get(id),
    });
    const cart = (id: string) => ({
      __typename: 'Cart',
      id,
      total: ({ currency: asked }: Args) => `10 ${String(asked)}`,
    });
    const carts = new Map(['ada', 'bob'].map((id) => [id, cart(id)]));
    const users = [user('ada', 'en', 'GBP'), user('bob', 'nl', 'EUR')];
    const shop = { __typename: 'Shop', id: 's', language: 'fr', post: posts[1] };
    return {
      roots: { Query: { user: users[0], users, shop } },
      records: [...users, ...posts, ...notes, ...carts.values(), shop],
    };
  },
});

describe('@fromContext', () => {
  test.each([
    ['a field of the type that sets it', '{ user { posts { text } } }'],
    ['one entity under several holders', '{ users { id posts { id text } best { text } } }'],
    ['beside an argument of the client', '{ users { posts { text upper: text(upper: true) } } }'],
    ['another type that sets it', '{ shop { post { text } } user { best { text } } }'],
    ['from two levels up', '{ users { posts { related { hint } } } }'],
    ['below the field', '{ users { best { text related { hint } } } }'],
    ['a nested field', '{ users { cart { total } } }'],
    ['with the field itself aliased', '{ users { locale: id posts { text } } }'],
    ['with its holder aliased', '{ a: user { best { text } } b: users { locale best { text } } }'],
  ])('%s', async (_name, query) => {
    await expectSame(graph(), query);
  });

  test('with an argument by variable', async () => {
    await expectSame(graph(), 'query ($u: Boolean!) { users { posts { text(upper: $u) } } }', {
      variables: { u: true },
    });
  });
});
