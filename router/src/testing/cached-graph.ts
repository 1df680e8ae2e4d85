import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { buildSubgraphSchema } from '@apollo/subgraph';
import type { GraphQLResolverMap } from '@apollo/subgraph';
import { createIdentityVerifier, IDENTITY_HEADER } from '@timbre/platform/identity';
import type { Identity } from '@timbre/platform/identity';
import { graphql, parse } from 'graphql';
import { z } from 'zod';
import { compose } from './compose.ts';
import { listen } from './listen.ts';
import { IDENTITY_SECRET } from './test-subgraph.ts';

const LINK = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.12", import: ["@key", "@shareable", "@cacheTag"])`;

const CATALOG = /* GraphQL */ `
  ${LINK}
  interface Node {
    id: ID!
  }
  type Product implements Node @key(fields: "id") @cacheTag(format: "product-{$key.id}") {
    id: ID!
    name: String
    maker: Maker
    fails: String
  }
  type Maker {
    name: String
    best: Product
  }
  type Viewer @key(fields: "id") {
    id: ID!
    secret: String
    scopes: [String!]
    locale: String
  }
  type Renamed {
    product: Product
    viewer: Viewer
  }
  union Renaming = Product | Renamed
  input Filter {
    a: String
    b: String
    more: Filter
  }
  type Query {
    product(id: ID!): Product @cacheTag(format: "by-id-{$args.id}")
    products(first: Int! = 3): [Product!] @cacheTag(format: "list") @cacheTag(format: "list-{$args.first}")
    node(id: ID!): Node
    search(filter: Filter): [Product!]
    viewer: Viewer
    echo(text: String): String
  }
  type Mutation {
    rename(id: ID!, name: String!): Product
    renameUnseen(id: ID!, name: String!): String
    setSecret(value: String!): Viewer
    renameAndFail(id: ID!, name: String!): Product
    renameAs(type: String!, id: ID!, name: String!): Renaming
    renameWith(id: ID!, name: String!): Renamed
    renameAll(ids: [ID!]!, name: String!): [Product!]!
  }
`;

const STOCK = /* GraphQL */ `
  ${LINK}
  type Product @key(fields: "id") {
    id: ID!
    count: Int
    unlucky: String
    mine: String
  }
  type Query {
    stocks: [Product!]
  }
  type Mutation {
    setCount(id: ID!, count: Int!): Product
  }
`;

interface Received {
  query: string;
  variables: Record<string, unknown>;
  headers: Record<string, unknown>;
}

export interface CachedSubgraph {
  url: string;
  received: Received[];
  /** Of every answer; null sends none. */
  cacheControl: string | null;
  headers: Record<string, string>;
  /** Answers with this in the place of what it should. */
  broken: { status: number; body: string } | null;
  /** Holds answers that are made already, to requests that contain a text, until it is released. */
  hold(part: string): { held: Promise<void>; release: () => void };
}

export interface CachedGraph {
  supergraph: string;
  subgraphUrl(name: string): string | undefined;
  catalog: CachedSubgraph;
  stock: CachedSubgraph;
  /** Requests that subgraphs got so far. */
  calls(): number;
  names: Map<string, string>;
  counts: Map<string, number>;
  secrets: Map<string, string>;
  close(): Promise<void>;
}

const requestSchema = z.object({ query: z.string(), variables: z.record(z.string(), z.unknown()).default({}) });

interface Context {
  identity: Identity;
  headers: Record<string, unknown>;
}

/** Two subgraphs whose data changes, and who say what a test wants them to about keeping it. */
export async function startCachedGraph(): Promise<CachedGraph> {
  const names = new Map<string, string>();
  const counts = new Map<string, number>();
  const secrets = new Map<string, string>();
  const verify = createIdentityVerifier(IDENTITY_SECRET);
  const nameOf = (id: string) => names.get(id) ?? `Product ${id}`;
  const product = (id: string) => ({ __typename: 'Product', id, name: () => nameOf(id) });
  const rename = (_: unknown, { id, name }: { id: string; name: string }) => {
    names.set(id, name);
    return product(id);
  };
  const viewer = (_: unknown, __: unknown, { identity, headers }: Context) => {
    const id = identity.userId ?? 'nobody';
    return { id, secret: secrets.get(id) ?? `secret of ${id}`, scopes: identity.scopes, locale: headers['x-locale'] };
  };

  const catalog = await startSubgraph(CATALOG, {
    Node: { __resolveType: (value: { __typename: string }) => value.__typename },
    Product: {
      __resolveReference: ({ id }: { id: string }) => product(id),
      maker: ({ id }: { id: string }) => ({ name: `Maker of ${id}`, best: product(`${id}-best`) }),
      fails: ({ id }: { id: string }) => {
        throw new Error(`${id} fails`);
      },
    },
    Query: {
      product: (_: unknown, { id }: { id: string }) => (id === 'gone' ? null : product(id)),
      products: (_: unknown, { first }: { first: number }) =>
        Array.from({ length: first }, (_v, i) => product(`p${i}`)),
      node: (_: unknown, { id }: { id: string }) => product(id),
      search: (_: unknown, { filter }: { filter: unknown }) => [{ ...product('found'), name: JSON.stringify(filter) }],
      viewer,
      echo: (_: unknown, { text: said }: { text: string }) => said,
    },
    Renaming: { __resolveType: (value: { __typename: string }) => value.__typename },
    Mutation: {
      rename,
      renameAs(_: unknown, { type, ...args }: { type: string; id: string; name: string }, context: Context) {
        const renamed = rename(_, args);
        return type === 'Product' ? renamed : { __typename: type, product: renamed, viewer: viewer(_, {}, context) };
      },
      renameUnseen: (...args: Parameters<typeof rename>) => rename(...args).name(),
      setSecret: (_: unknown, { value }: { value: string }, context: Context) => {
        secrets.set(context.identity.userId ?? 'nobody', value);
        return viewer(_, {}, context);
      },
      renameAndFail: (...args: Parameters<typeof rename>) => {
        rename(...args);
        throw new Error('too late');
      },
    },
  });
  const stock = await startSubgraph(STOCK, {
    Product: {
      __resolveReference: ({ id }: { id: string }) =>
        id === 'p-missing' ? null : { id, count: () => counts.get(id) ?? 0 },
      unlucky: ({ id }: { id: string }) => {
        if (id === 'p1' || id === 'p1-best') throw new Error('no luck');
        return `luck of ${id}`;
      },
      mine: ({ id }: { id: string }, _: unknown, { identity }: Context) => `${id} of ${identity.userId}`,
    },
    Query: { stocks: () => [...counts.keys()].map((id) => ({ id, count: counts.get(id) })) },
    Mutation: {
      setCount: (_: unknown, { id, count }: { id: string; count: number }) => {
        counts.set(id, count);
        return { id, count };
      },
    },
  });

  async function startSubgraph(typeDefs: string, resolvers: GraphQLResolverMap<Context>) {
    const schema = buildSubgraphSchema([{ typeDefs: parse(typeDefs), resolvers: resolvers }]);
    const holds: { part: string; held: PromiseWithResolvers<void>; released: PromiseWithResolvers<void> }[] = [];

    async function answer(body: string, headers: Record<string, unknown>, res: ServerResponse): Promise<void> {
      const { query, variables } = requestSchema.parse(JSON.parse(body));
      subgraph.received.push({ query, variables, headers });
      const contextValue: Context = { identity: verify(String(headers[IDENTITY_HEADER])), headers };
      const result = await graphql({ schema, source: query, variableValues: variables, contextValue });
      const { broken, cacheControl } = subgraph;
      const hold = holds.find(({ part }) => body.includes(part));
      if (hold !== undefined) {
        hold.held.resolve();
        await hold.released.promise;
      }
      res
        .writeHead(broken?.status ?? 200, {
          'content-type': 'application/json',
          ...(cacheControl === null ? {} : { 'cache-control': cacheControl }),
          ...subgraph.headers,
        })
        .end(broken?.body ?? JSON.stringify(result));
    }

    const server = createServer((req, res) => {
      void text(req).then((body) => answer(body, req.headers, res));
    });
    const subgraph: CachedSubgraph & { close: () => Promise<void> } = {
      url: `${await listen(server)}/graphql`,
      received: [],
      cacheControl: 'public, max-age=60',
      headers: {},
      broken: null,
      hold(part) {
        const hold = { part, held: Promise.withResolvers<void>(), released: Promise.withResolvers<void>() };
        holds.push(hold);
        const release = () => {
          holds.splice(holds.indexOf(hold), 1);
          hold.released.resolve();
        };
        return { held: hold.held.promise, release };
      },
      async close() {
        server.closeAllConnections();
        await new Promise((resolve) => {
          server.close(resolve);
        });
      },
    };
    return subgraph;
  }

  const urls: Record<string, string> = { catalog: catalog.url, stock: stock.url };
  return {
    supergraph: compose({ catalog: CATALOG, stock: STOCK }),
    subgraphUrl: (name) => urls[name],
    catalog,
    stock,
    calls: () => catalog.received.length + stock.received.length,
    names,
    counts,
    secrets,
    close: async () => void (await Promise.all([catalog.close(), stock.close()])),
  };
}
