import type { GraphDefinition } from './conformance-graph.ts';
import type { Args } from './domain.ts';

const accounts = /* GraphQL */ `
  type Query {
    me: User
    users(limit: Int = 2, role: Role): [User]
    user(id: ID!): User
  }
  enum Role {
    ADMIN
    GUEST
  }
  enum Style {
    PLAIN
    LOUD
  }
  scalar Day
  type User @key(fields: "id") @key(fields: "email") {
    id: ID!
    email: String! @shareable
    name(style: Style! = PLAIN): String
    role: Role
    born: Day
    address: Address
    friends(first: Int = 2): [User!]
    motto: String
    code: ID
  }
  type Address @shareable {
    city: String!
    street: String
    area: [[Float]]
  }
`;

const catalog = /* GraphQL */ `
  type Query {
    product(upc: ID! = "b1"): Product
    products(filter: Filter): [Product!]!
    search(text: String): [Hit]
    shelves: [[Product]]
    tags(names: [String!] = ["new"]): [Tag!]
  }
  enum Currency {
    EUR
    USD
    JPY
  }
  input Filter {
    kinds: [String!]
    below: Int
    not: Filter
  }
  interface Named {
    name: String
  }
  interface Product @key(fields: "upc") {
    upc: ID!
    name: String
    price(currency: Currency = EUR): Int
    maker: User
    similar(first: Int = 2): [Product!]!
  }
  type Book implements Product & Named @key(fields: "upc") {
    upc: ID!
    name: String
    price(currency: Currency = EUR): Int
    weight: Int
    maker: User
    similar(first: Int = 2): [Product!]!
    size: Size
    pages: Int
    code: String
    writer: User
  }
  type Toy implements Product & Named @key(fields: "upc") {
    upc: ID!
    name: String
    price(currency: Currency = EUR): Int
    weight: Int
    maker: User
    similar(first: Int = 2): [Product!]!
    size: Size
    ages: [Int!]
    code: Int
    parts: [Toy!]
  }
  type Size {
    height: Int!
    width: Int!
  }
  type Tag implements Named @key(fields: "name") {
    name: String
    products: [Product]
    weight: Float
  }
  union Hit = Book | Toy | User | Tag
  type User @key(fields: "id") {
    id: ID!
    favourite: Product
    wishes: [Hit!]
  }
`;

const reviews = /* GraphQL */ `
  type Query {
    reviews(first: Int = 2): [Review]
    latest: Review
  }
  enum Style {
    PLAIN
    LOUD
  }
  type Product @key(fields: "upc") @interfaceObject {
    upc: ID!
    reviews(first: Int = 2): [Review!]!
    stars: Float
    name: String @external
    title(prefix: String = ""): String @requires(fields: "name")
  }
  type Review @key(fields: "id") {
    id: ID!
    body(upper: Boolean = false): String
    author: User @provides(fields: "email")
    product: Product
    mark: Int
    seal: Seal
    code: Int!
  }
  type Seal {
    name: String!
    weight: Int
  }
  type User @key(fields: "id") {
    id: ID!
    email: String! @external
    name(style: Style! = PLAIN): String @external
    reviews: [Review!]
    bio: String @requires(fields: "name(style: LOUD) email")
  }
`;

const warehouse = /* GraphQL */ `
  type Query {
    stocked: [Stocked!]
    order(number: Int! = 1): Order
  }
  enum Currency {
    EUR
    USD
    JPY
  }
  union Stocked = Book | Toy
  type Book @key(fields: "upc") {
    upc: ID!
    stock: Int
    price(currency: Currency = EUR): Int @external
    weight: Int @external
    size: Size @external
    shipping(express: Boolean! = false): Int @requires(fields: "price(currency: USD) weight")
    box: String @requires(fields: "size { height width }")
  }
  type Toy @key(fields: "upc") {
    upc: ID!
    stock: Int!
    weight: Int @external
    shipping: Int @requires(fields: "weight")
  }
  type Size @external {
    height: Int!
    width: Int!
  }
  type User @key(fields: "email") {
    email: String! @shareable
    orders: [Order!]
    role2: ID
  }
  type Order @key(fields: "number shop { code }") {
    number: Int!
    shop: Shop! @shareable
    lines: [Line!]
    buyer: User
  }
  type Shop @shareable {
    code: ID!
    city: String
  }
  type Line {
    product: Stocked
    count: Int
  }
`;

const ledger = /* GraphQL */ `
  type Order @key(fields: "number shop { code }") {
    number: Int!
    shop: Shop! @shareable
    paid: Boolean
    note: String
    total: Total
  }
  type Shop @shareable {
    code: ID!
  }
  type Total {
    price: Int!
    currency: String
  }
  type Tag @key(fields: "name") {
    name: String
    uses: Int
  }
`;

/** A graph with something of everything, for queries that nobody thought of. Some of its fields fail. */
export const market: GraphDefinition = {
  subgraphs: { accounts, catalog, reviews, warehouse, ledger },
  domain() {
    const fail = (what: string) => () => {
      throw new Error(`${what} fails`);
    };
    const first = (list: readonly unknown[]) => (args: Args) =>
      list.slice(0, typeof args['first'] === 'number' ? args['first'] : undefined);

    const friends: Record<string, object[]> = { u1: [], u2: [], u3: [] };
    const reviewsOf: Record<string, object[]> = { u1: [], u2: [], u3: [], b1: [], b2: [], t1: [], t2: [] };
    const orders: Record<string, object[]> = { u1: [], u2: [], u3: [] };
    const wishes: Record<string, object[]> = { u1: [], u2: [], u3: [] };
    const similar: Record<string, object[]> = { b1: [], b2: [], t1: [], t2: [] };

    const user = (id: string, more: object = {}) => ({
      __typename: 'User',
      id,
      email: `${id}@example.com`,
      name: ({ style }: Args) => (style === 'LOUD' ? `USER ${id}` : `User ${id}`),
      role: 'GUEST',
      born: `2000-01-0${id.slice(1)}`,
      address: { __typename: 'Address', city: `City ${id}`, street: null, area: [[1.5, null], null, []] },
      friends: first(friends[id] ?? []),
      motto: `Motto of ${id}`,
      code: id.length,
      reviews: reviewsOf[id],
      orders: orders[id],
      wishes: wishes[id],
      role2: null,
      ...more,
    });
    const product = (upc: string, more: object) => ({
      upc,
      name: `Product ${upc}`,
      price: ({ currency }: Args) => (currency === 'JPY' ? 1000 : currency === 'USD' ? 12 : 10) * upc.charCodeAt(1),
      weight: upc.charCodeAt(1),
      similar: first(similar[upc] ?? []),
      size: { __typename: 'Size', height: 3, width: upc.charCodeAt(1) },
      reviews: first(reviewsOf[upc] ?? []),
      stars: 4.5,
      stock: 7,
      ...more,
    });
    const u2 = user('u2', { role: 'ADMIN', address: null, motto: null });
    const b2 = {
      __typename: 'Book',
      ...product('b2', { name: null, pages: 10, code: null, stock: fail('stock'), maker: u2 }),
    };
    const t1 = { __typename: 'Toy', ...product('t1', { ages: [1, 2], code: 5, parts: [], size: null, maker: u2 }) };
    const u1 = user('u1', { favourite: t1 });
    const u3 = user('u3', { motto: fail('motto'), born: null, favourite: b2, code: 'c3' });
    const b1 = {
      __typename: 'Book',
      ...product('b1', { pages: 300, code: 'B-1', writer: u1, maker: u3, stars: null }),
    };
    // A value that must not be null and is.
    const t2 = { __typename: 'Toy', ...product('t2', { ages: null, code: 6, parts: [t1], stock: null, maker: null }) };
    const tags = [
      { __typename: 'Tag', name: 'new', products: [b1, null, t1], weight: 0.5, uses: 3 },
      { __typename: 'Tag', name: 'old', products: [t2], weight: null, uses: fail('uses') },
    ];
    const review = (id: string, author: { id: string } | null, of: { upc: string }, more: object = {}) => {
      const made = {
        __typename: 'Review',
        id,
        body: ({ upper }: Args) => (upper === true ? `REVIEW ${id}` : `Review ${id}`),
        author,
        product: of,
        mark: id.length,
        seal: { __typename: 'Seal', name: `Seal ${id}`, weight: 2 },
        code: 9,
        ...more,
      };
      if (author !== null) reviewsOf[author.id]?.push(made);
      reviewsOf[of.upc]?.push(made);
      return made;
    };
    const written = [
      review('r1', u1, b1),
      review('r2', u2, b1, { mark: fail('mark'), seal: null }),
      review('r3', u1, t1, { body: null, seal: { __typename: 'Seal', name: null, weight: 1 } }),
      review('r4', null, t2),
    ];
    const order = (number: number, buyer: { id: string }, lines: object[], more: object) => {
      const shop = { __typename: 'Shop', code: `s${number}`, city: `City ${number}` };
      const made = { __typename: 'Order', number, shop, buyer, lines, note: null, total: null, ...more };
      orders[buyer.id]?.push(made);
      return made;
    };
    const line = (sold: object | null, count: number) => ({ __typename: 'Line', product: sold, count });
    const total = (price: number | null) => ({ __typename: 'Total', price, currency: 'EUR' });
    const placed = [
      order(1, u1, [line(b1, 1), line(t1, 2), line(null, 3)], { paid: true, total: total(12) }),
      order(2, u1, [line(b2, 1)], { paid: false, note: fail('note'), total: total(null) }),
      order(3, u2, [], { paid: null }),
    ];
    const users = [u1, u2, u3];
    const products = [b1, t1, b2, t2];
    friends['u1']?.push(u2, u3);
    friends['u2']?.push(u1);
    similar['b1']?.push(b2, t1);
    similar['t1']?.push(b1, t2, b1);
    wishes['u1']?.push(b1, u2, ...tags);
    wishes['u3']?.push(t2);

    return {
      roots: {
        Query: {
          me: u1,
          users: ({ limit, role }: Args) =>
            [u1, null, u2, u3]
              .filter((entry) => entry === null || typeof role !== 'string' || entry.role === role)
              .slice(0, typeof limit === 'number' ? limit : undefined),
          user: ({ id }: Args) => users.find((entry) => entry.id === id) ?? null,
          product: ({ upc }: Args) => products.find((entry) => entry.upc === upc) ?? null,
          products: ({ filter }: Args) => (filter === undefined || filter === null ? products.slice(0, 3) : [b1, t2]),
          search: ({ text }: Args) => (text === 'all' ? [b1, null, u1, t2, ...tags] : [t1, tags[0], u3]),
          shelves: [[b1, null], [], null, [t1, b2]],
          tags: ({ names }: Args) => tags.filter(({ name }) => !Array.isArray(names) || names.includes(name)),
          reviews: first(written),
          latest: written[2],
          stocked: [b1, t1, b2],
          order: ({ number }: Args) => placed.find((entry) => entry.number === number) ?? null,
        },
      },
      records: [...users, ...products, ...tags, ...written, ...placed],
      computed: {
        'Product.title': ({ name }, { prefix }) => `${String(prefix)}${String(name)}`,
        'User.bio': ({ name, email }) => `${String(name)} <${String(email)}>`,
        'Book.shipping': ({ price, weight }, { express }) =>
          Number(price) * Number(weight) * (express === true ? 2 : 1),
        'Toy.shipping': ({ weight }) => Number(weight) * 3,
        'Book.box': ({ size }) => JSON.stringify(size, ['height', 'width']),
      },
    };
  },
};
