import { composeServices } from '@apollo/composition';
import { parse } from 'graphql';

const LINK = `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@requiresScopes", "@listSize"])`;

const users = (annotated: boolean) => /* GraphQL */ `
  ${LINK}
  type Query {
    users(seed: Int! = 0): [User!]! ${annotated ? '@listSize(assumedSize: 20)' : ''}
  }
  type User @key(fields: "id") {
    id: ID!
    name: String!
    email: String! ${annotated ? '@requiresScopes(scopes: [["profile:read"]])' : ''}
  }
`;
const voices = (annotated: boolean) => /* GraphQL */ `
  ${LINK}
  type Query {
    voice(id: ID!): Voice
  }
  type Voice @key(fields: "id") {
    id: ID!
    label: String!
    language: String!
  }
  type User @key(fields: "id") {
    id: ID!
    voices: [Voice!]! ${annotated ? '@listSize(assumedSize: 2)' : ''}
  }
`;

/** The supergraph of `users` at `port` and `voices` at the next; annotated: its policies have something to decide. */
export function composePoliciesGraph(port: number, annotated: boolean): string {
  const { errors, supergraphSdl } = composeServices([
    { name: 'users', url: `http://127.0.0.1:${port}/graphql`, typeDefs: parse(users(annotated)) },
    { name: 'voices', url: `http://127.0.0.1:${port + 1}/graphql`, typeDefs: parse(voices(annotated)) },
  ]);
  if (errors) throw new Error(errors.map(({ message }) => message).join('\n'));
  return supergraphSdl;
}
