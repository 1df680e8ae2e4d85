import { composeServices } from '@apollo/composition';
import { parse } from 'graphql';

const LINK = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@listSize"])`;

/** Of the two subgraphs that subscriptions, reloads and the soak are measured on. */
export const SCHEMAS = {
  events: /* GraphQL */ `
    ${LINK}
    type Query {
      now: Float!
    }
    type Subscription {
      "Milliseconds, when the event was emitted."
      tick(channel: Int!): Float!
      event(channel: Int!): Event!
    }
    type Event {
      at: Float!
      sequence: Int!
      user: User!
    }
    type User @key(fields: "id") {
      id: ID!
      score: Int!
    }
  `,
  users: /* GraphQL */ `
    ${LINK}
    type Query {
      users(seed: Int! = 0): [User!]! @listSize(assumedSize: 20)
      broken: String
    }
    type Mutation {
      rename(id: ID!, name: String!): User!
    }
    type User @key(fields: "id") {
      id: ID!
      name: String!
    }
  `,
};

/** What a server adds that the router asks for entities. */
export const ENTITIES = /* GraphQL */ `
  scalar _Any
  union _Entity = User
  extend type Query {
    _entities(representations: [_Any!]!): [_Entity]!
  }
`;

/**
 * The supergraph of `events` at `port` and `users` at the next. `extra` is a field that nothing asks for: another one makes another
 * supergraph on which every operation stays as it is.
 */
export function composeBenchGraph(port: number, extra = 'extra'): string {
  const { errors, supergraphSdl } = composeServices([
    { name: 'events', url: `http://127.0.0.1:${port}/graphql`, typeDefs: parse(SCHEMAS.events) },
    {
      name: 'users',
      url: `http://127.0.0.1:${port + 1}/graphql`,
      typeDefs: parse(`${SCHEMAS.users} extend type Query { ${extra}: String }`),
    },
  ]);
  if (errors) throw new Error(errors.map(({ message }) => message).join('\n'));
  return supergraphSdl;
}
