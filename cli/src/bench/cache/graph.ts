import { composeServices } from '@apollo/composition';
import { parse } from 'graphql';

const LINK = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])`;

/** Things with a version that grows with each write, and what another subgraph knows of them. */
export const SCHEMAS = {
  items: /* GraphQL */ `
    ${LINK}
    type Query {
      item(id: ID!): Item
    }
    type Mutation {
      writeItem(id: ID!): Item
    }
    type Item @key(fields: "id") {
      id: ID!
      name: String!
      body: String!
      version: Int!
    }
  `,
  details: /* GraphQL */ `
    ${LINK}
    type Query {
      detailCount: Int!
    }
    type Item @key(fields: "id") {
      id: ID!
      price: Int!
      stock: Int!
      versionOfDetails: Int!
      reviews: [Review!]!
    }
    type Review {
      stars: Int!
      text: String!
    }
  `,
};

export const READ =
  'query Read($id: ID!) { item(id: $id) { id name body version price stock versionOfDetails reviews { stars text } } }';
export const WRITE = 'mutation Write($id: ID!) { writeItem(id: $id) { id version } }';

/** `items` at `port`, `details` at the next. */
export function composeCacheGraph(port: number): string {
  const { errors, supergraphSdl } = composeServices(
    Object.entries(SCHEMAS).map(([name, sdl], index) => ({
      name,
      url: `http://127.0.0.1:${port + index}/graphql`,
      typeDefs: parse(sdl),
    })),
  );
  if (errors) throw new Error(errors.map(({ message }) => message).join('\n'));
  return supergraphSdl;
}
