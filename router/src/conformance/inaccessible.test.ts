import { describe, expect, test } from 'vitest';
import { conformanceGraph } from './harness/conformance-graph.ts';
import type { Args } from './harness/domain.ts';
import { expectSame } from './harness/expect-same.ts';

const graph = conformanceGraph({
  subgraphs: {
    vault: /* GraphQL */ `
      type Query {
        box: Box
        boxes: [Box!]!
        item: Item
        items: [Item]
        color: Color
        colors: [Color]
        paint(color: Color = RED, coats: Int = 2 @inaccessible): String
        mix(recipe: Recipe): String
      }
      type Box @key(fields: "id") @key(fields: "serial") {
        id: ID!
        serial: String! @inaccessible
        label: String @tag(name: "public")
        color: Color
        item: Item
      }
      interface Item {
        name: String
      }
      type Coin implements Item {
        name: String
        worth: Int
      }
      type Key implements Item @inaccessible {
        name: String
      }
      enum Color {
        RED
        BLUE
        SECRET @inaccessible
      }
      input Recipe {
        base: Color! = BLUE
        secret: String = "salt" @inaccessible
      }
    `,
    registry: /* GraphQL */ `
      type Box @key(fields: "serial") {
        serial: String! @inaccessible
        registered: String
      }
    `,
  },
  domain() {
    const coin = { __typename: 'Coin', name: 'A coin', worth: 2 };
    const key = { __typename: 'Key', name: 'The key' };
    const box = (id: string, color: string, item: object) => ({
      __typename: 'Box',
      id,
      serial: `serial-${id}`,
      label: `Box ${id}`,
      registered: `Registered ${id}`,
      color,
      item,
    });
    const boxes = [box('1', 'RED', coin), box('2', 'SECRET', key), box('3', 'BLUE', coin)];
    return {
      roots: {
        Query: {
          box: boxes[0],
          boxes,
          item: key,
          items: [coin, key, coin],
          color: 'SECRET',
          colors: ['RED', 'SECRET', null],
          paint: ({ color, coats = 2 }: Args) => `${String(coats)} coats of ${String(color)}`,
          mix: ({ recipe }: Args) => JSON.stringify(recipe, ['base']),
        },
      },
      records: boxes,
    };
  },
});

describe('what is inaccessible', () => {
  test('may be a key on which subgraphs are joined', async () => {
    await expectSame(graph(), '{ boxes { label registered } }');
  });

  test.each([
    ['an enum value', '{ color }', 1],
    ['an enum value in a list', '{ colors }', 1],
    ['an enum value of an entity', '{ boxes { id color registered } }', 1],
    ['an object', '{ item { name } }', 1],
    ['an object in a list', '{ items { __typename name ... on Coin { worth } } }', 1],
    ['an object below an entity', '{ boxes { item { name } registered } }', 1],
  ])('is null with an error where a subgraph sends it: %s', async (_name, query, errors) => {
    await expectSame(graph(), query, { errors });
  });

  test('has its default where it is an argument', async () => {
    await expectSame(graph(), '{ paint other: paint(color: BLUE) mix(recipe: {}) }');
  });

  test.each([
    ['a field', '{ box { serial } }'],
    ['a type', '{ item { ... on Key { name } } }'],
    ['an enum value', '{ paint(color: SECRET) }'],
    ['an argument', '{ paint(coats: 3) }'],
    ['an input field', '{ mix(recipe: { secret: "sugar" }) }'],
  ])('cannot be asked for: %s', async (_name, query) => {
    graph().servers.calls = [];
    const answer = await graph().router.query(query);
    expect(answer.errors).not.toEqual([]);
    expect(answer.data).toBeUndefined();
    expect(graph().servers.calls).toEqual([]);
  });

  test('cannot be given by a variable', async () => {
    const answer = await graph().router.query('query ($c: Color) { paint(color: $c) }', { variables: { c: 'SECRET' } });
    expect(answer.errors).toHaveLength(1);
    expect(answer.text).not.toContain('coats');
  });

  test('is not in the introspection', async () => {
    const { data } = await expectSame(
      graph(),
      `{
        key: __type(name: "Key") { name }
        color: __type(name: "Color") { enumValues { name } }
        box: __type(name: "Box") { fields { name } }
        item: __type(name: "Item") { possibleTypes { name } }
        query: __type(name: "Query") { fields { name args { name defaultValue } } }
        recipe: __type(name: "Recipe") { inputFields { name } }
      }`,
    );
    expect(data).toMatchObject({ key: null, color: { enumValues: [{ name: 'RED' }, { name: 'BLUE' }] } });
  });
});
