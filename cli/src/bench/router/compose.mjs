// Writes plain.graphql, for the peers, and annotated.graphql, for our router: the same with scopes and list sizes, so that its
// policies have something to decide. Arguments: flat | deep, the port of the first subgraph.
import { writeFileSync } from 'node:fs';
import { composeServices } from '@apollo/composition';
import { parse } from 'graphql';
import { GRAPHS } from './bench-graphs.mjs';

const LINK = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9",
  import: ["@key", "@external", "@shareable", "@requiresScopes", "@listSize"])\n`;
const ANNOTATED = [
  ['email: String!', 'email: String! @requiresScopes(scopes: [["profile:read"]])'],
  ['price: Int!', 'price: Int! @requiresScopes(scopes: [["billing:read"]])'],
  [': [User!]!', ': [User!]! @listSize(assumedSize: 20)'],
  [': [Voice!]!', ': [Voice!]! @listSize(assumedSize: 2)'],
  [': [Region!]!', ': [Region!]! @listSize(assumedSize: 10)'],
  [': [Shop!]!', ': [Shop!]! @listSize(assumedSize: 9)'],
  [': [Offer!]!', ': [Offer!]! @listSize(assumedSize: 5)'],
];
const annotate = (sdl) => LINK + ANNOTATED.reduce((text, [plain, annotated]) => text.replace(plain, annotated), sdl);

const [graph, port] = process.argv.slice(2);
const write = (file, change) => {
  const { errors, supergraphSdl } = composeServices(
    Object.entries(GRAPHS[graph]).map(([name, sdl], index) => ({
      name,
      url: `http://127.0.0.1:${Number(port) + index}/graphql`,
      typeDefs: parse(change(sdl)),
    })),
  );
  if (errors) throw new Error(errors.map(({ message }) => message).join('\n'));
  writeFileSync(file, supergraphSdl);
};
write(`${graph}-plain.graphql`, (sdl) => sdl);
write(`${graph}-annotated.graphql`, annotate);
