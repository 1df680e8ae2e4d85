import { readFileSync } from 'node:fs';
import { print } from 'graphql';
import { describe, expect, test } from 'vitest';
import { compose } from '../testing/compose.ts';
import { loadSupergraph } from './load-supergraph.ts';
import { splitSupergraph } from './split-supergraph.ts';

const subgraph = (link: string, rest: string) => `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: [${link}])
  ${rest}`;

const SUPERGRAPH = compose({
  a: subgraph(
    '"@key", "@authenticated", "@requiresScopes", "@policy", "@cost", "@listSize"',
    `type Query {
       me: User @authenticated
       all(first: Int! = 5, filter: Filter @cost(weight: 3)): Users @listSize(slicingArguments: ["first"], sizedFields: ["items"], requireOneSlicingArgument: false)
       models: [User] @listSize(assumedSize: 20)
     }
     type User @key(fields: "id") @policy(policies: [["p", "q"], ["r"]]) {
       id: ID!
       email: String @requiresScopes(scopes: [["a", "b"], ["c"]]) @cost(weight: 7)
       state: State
     }
     type Users { items: [User] }
     input Filter { text: String @cost(weight: 2) }
     enum State @authenticated @cost(weight: 4) { ON OFF }`,
  ),
});

describe('the annotations', () => {
  const { annotations, document } = splitSupergraph(SUPERGRAPH);
  const field = (type: string, name: string) => annotations.types.get(type)?.fields.get(name);

  test('of types, fields, arguments and input fields are in the table', () => {
    expect(field('Query', 'me')?.requirement).toEqual({ authenticated: true, scopes: null, policies: null });
    expect(field('User', 'email')?.requirement?.scopes).toEqual([['a', 'b'], ['c']]);
    expect(annotations.types.get('User')?.requirement?.policies).toEqual([['p', 'q'], ['r']]);
    expect(annotations.types.get('State')).toMatchObject({ requirement: { authenticated: true }, cost: 4 });
    expect(field('User', 'email')?.cost).toBe(7);
    expect(field('Query', 'all')?.argumentCosts.get('filter')).toBe(3);
    expect(field('Filter', 'text')?.cost).toBe(2);
    expect(field('Query', 'all')?.listSize).toEqual({
      assumedSize: null,
      slicingArguments: ['first'],
      sizedFields: ['items'],
      requireOneSlicingArgument: false,
    });
    expect(field('Query', 'models')?.listSize).toMatchObject({ assumedSize: 20, requireOneSlicingArgument: true });
    expect([...annotations.scopes]).toEqual(['a', 'b', 'c']);
    expect([...annotations.policies]).toEqual(['p', 'q', 'r']);
  });

  test('are gone from the rest, which loads', async () => {
    const rest = print(document);
    expect(rest).not.toMatch(/authenticated|requiresScopes|policy|@cost|listSize/);
    expect(rest).toContain('@join__type');
    expect((await loadSupergraph(SUPERGRAPH)).schema.getType('User')).toBeDefined();
  });

  test('are found under whatever names the links give them', () => {
    const renamed = SUPERGRAPH.replace('authenticated/v0.1", for', 'authenticated/v0.1", as: "known", for')
      .replaceAll(/@authenticated\b/g, '@known')
      .replace(
        'requiresScopes/v0.1", for',
        'requiresScopes/v0.1", import: [{ name: "@requiresScopes", as: "@needs" }], for',
      )
      .replaceAll(/@requiresScopes\b(?!")/g, '@needs')
      .replace(/cost\/v0\.1"[^)]*\)/, 'cost/v0.1", as: "price")')
      .replaceAll(/@cost\b/g, '@price')
      .replaceAll(/@listSize\b/g, '@price__listSize');
    const { annotations: found, document: rest } = splitSupergraph(renamed);
    expect(found).toEqual(annotations);
    expect(print(rest)).toBe(print(document));
  });
});

describe('what is not known', () => {
  test.each([
    [
      'a later version of a security feature',
      SUPERGRAPH.replace('authenticated/v0.1', 'authenticated/v0.2'),
      /authenticated\/v0\.2/,
    ],
    ['another security feature', SUPERGRAPH.replace('specs.apollo.dev/policy/', 'specs.example.com/vault/'), /vault/],
    ['a later version of the cost feature', SUPERGRAPH.replace('cost/v0.1', 'cost/v0.2'), /cost\/v0\.2/],
    ['something that is no supergraph', 'type Query { a: Int }', /core schema/],
    ['something that is no GraphQL', '{', /Syntax Error/],
  ])('%s is not loaded', async (_name, sdl, message) => {
    await expect(loadSupergraph(sdl)).rejects.toThrow(message);
  });
});

test("the project's own supergraph loads, with every annotation of its subgraphs", async () => {
  const sdl = readFileSync(new URL('../../../schema/supergraph.graphql', import.meta.url), 'utf8');
  const { annotations, subgraphs } = await loadSupergraph(sdl);
  expect(subgraphs.map(({ name }) => name)).toEqual(['billing', 'tts', 'users', 'voices']);
  expect(annotations.types.get('Query')?.fields.get('me')?.requirement?.authenticated).toBe(true);
  expect(annotations.types.get('Subscription')?.fields.get('generationEvents')?.requirement?.scopes).toEqual([
    ['tts:read'],
  ]);
});
