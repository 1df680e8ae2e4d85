import { describe, test } from 'vitest';
import { conformanceGraph } from './harness/conformance-graph.ts';
import type { Args } from './harness/domain.ts';
import { expectSame } from './harness/expect-same.ts';

const graph = conformanceGraph({
  subgraphs: {
    desk: /* GraphQL */ `
      scalar Json
      scalar Stamp
      type Query {
        file: File
        files: [File]
        strict: [File!]!
        solid: File!
        odd: Odd!
        echo(id: ID, ids: [ID!], n: Float, at: Stamp, any: Json, filter: Filter, mode: Mode): String
        search: [Found]
      }
      enum Mode {
        ON
        OFF
      }
      input Filter {
        mode: Mode = ON
        tags: [String!]! = ["all"]
        inner: Filter
      }
      type File @key(fields: "id") {
        id: ID!
        name: String!
        size: Int
        meta: Json
        at: Stamp
        folder: Folder
        mode: Mode
        grid: [[Int!]]
      }
      type Folder @key(fields: "id") {
        id: ID!
        label: String
        files: [File!]
      }
      type Odd {
        id: ID!
        ids: [ID!]!
        whole: Int
        ratio: Float
        yes: Boolean
        text: String
        modes: [Mode!]
        nothing: String
        empty: [File!]!
        long: Float
        cube: [[[Int]]]
      }
      type Row {
        cells: [Cell!]
      }
      type Cell {
        value: Int!
      }
      union Found = Row | File
    `,
    owners: /* GraphQL */ `
      type File @key(fields: "id") {
        id: ID!
        owner: Owner!
        editors: [Owner!]
        shared: [Owner]!
        pin: Int!
        comment: String
      }
      type Owner {
        name: String!
        nick: String
      }
      type Folder @key(fields: "id") {
        id: ID!
        quota: Int!
      }
    `,
  },
  domain() {
    const fail = (what: string) => () => {
      throw new Error(`${what} fails`);
    };
    const owner = (name: unknown, nick: unknown = null) => ({ __typename: 'Owner', name, nick });
    const folder = { __typename: 'Folder', id: 'top', label: 'Top', quota: fail('quota') };
    const file = (id: string, more: object = {}) => ({
      __typename: 'File',
      id,
      name: `File ${id}`,
      size: id.length,
      meta: { id, nested: [1, { two: null }], __proto: 'x' },
      at: '2001-02-03T04:05:06Z',
      folder,
      mode: 'ON',
      grid: [[1, 2], null, []],
      owner: owner('ada', 'a'),
      editors: [owner('bob')],
      shared: [owner('cy'), null],
      pin: 7,
      comment: null,
      ...more,
    });
    const good = file('good');
    const files = [
      good,
      null,
      file('unowned', { owner: null }),
      file('nameless', { owner: owner(null), editors: [owner('x'), owner(null)], shared: [owner(null), owner('y')] }),
      file('failing', { pin: fail('pin'), comment: fail('comment'), size: fail('size') }),
    ];
    const search = [
      {
        __typename: 'Row',
        cells: [
          { __typename: 'Cell', value: 1 },
          { __typename: 'Cell', value: null },
        ],
      },
      good,
    ];
    const odd = {
      __typename: 'Odd',
      id: 12,
      ids: [1, 'two'],
      whole: 2 ** 31 - 1,
      ratio: 3,
      yes: false,
      text: 'a "text"\u2028 \\ é 😀',
      modes: ['ON', 'OFF'],
      nothing: null,
      empty: [],
      long: 1e21,
      cube: [[[1, null], []], [null], null],
    };
    return {
      roots: {
        Query: {
          file: good,
          files,
          strict: [good, ...files.slice(2, 3)],
          solid: files[4],
          odd,
          echo: (args: Args) => JSON.stringify(args, (_key, value: unknown) => value ?? null),
          search,
        },
      },
      records: [...files.filter((entry) => entry !== null), folder],
    };
  },
});

describe('values', () => {
  test.each([
    '{ odd { id ids whole ratio yes text modes nothing empty { owner { name } } long cube } }',
    '{ file { meta m: meta at grid mode } }',
    '{ file { z: id a: name id __typename b: __typename } }',
    '{ __typename file { pin id name } }',
  ])('keep their type and their order: %s', async (query) => {
    await expectSame(graph(), query);
  });
});

describe('null where there must be a value goes up', () => {
  test.each([
    ['to the entity', '{ files { id pin } }', 1],
    ['through an object to the entity', '{ files { id owner { name } } }', 2],
    ['to a list of an entity', '{ files { id editors { name } } }', 1],
    ['to an entry of a list', '{ files { id shared { name } } }', 1],
    ['to the whole', '{ strict { id owner { name } } }', 1],
    ['to the whole, from beside other roots', '{ file { id } solid { pin } }', 1],
    ['from below a list in a union', '{ search { ... on Row { cells { value } } ... on File { pin } } }', 1],
    ['to a nested entity', '{ file { folder { label quota } } }', 1],
    ['and no further than where it may be null', '{ file { id folder { quota } owner { name } } }', 1],
  ])('%s', async (_name, query, errors) => {
    await expectSame(graph(), query, { errors });
  });
});

describe('the path of an error', () => {
  test.each([
    ['has aliases', '{ all: files { mine: comment } }', 1],
    ['has indices', '{ files { comment size } }', 2],
    ['is there for each alias', '{ files { a: comment b: comment } }', 2],
    ['is below a fragment', '{ files { ...F } } fragment F on File { ... on File { c: comment s: size } }', 2],
    ['has the alias of a key', '{ files { id: name name: id size: comment comment: size } }', 2],
    ['goes through several subgraphs', '{ file { up: folder { q: quota } } files { up: folder { label } } }', 1],
  ])('%s', async (_name, query, errors) => {
    await expectSame(graph(), query, { errors });
  });
});

describe('selections of one field are merged', () => {
  test.each([
    '{ file { folder { label } folder { id } ... on File { folder { l: label } } } }',
    '{ file { id } ...Q } fragment Q on Query { file { name owner { name } } f: file { name } }',
    '{ file { owner { name } } file { owner { nick } pin } file { owner { name } id } }',
    '{ file { ...A ...A ...B } } fragment A on File { owner { ...N } } fragment B on File { owner { nick ...N } pin } fragment N on Owner { name }',
    '{ search { ... on File { x: name } } search { ... on Row { cells { value: __typename } } ... on File { x: name pin } } }',
  ])('%s', async (query) => {
    await expectSame(graph(), query);
  });
});

describe('arguments', () => {
  test.each<[string, Record<string, unknown>?]>([
    ['{ echo }'],
    ['{ echo(id: 7, ids: ["a", 3], n: 1, at: 99, any: { a: [1, "x", { b: null }] }) }'],
    ['{ echo(filter: { inner: { mode: OFF, tags: [] } }, mode: ON) other: echo(filter: { tags: "one" }) }'],
    ['query ($id: ID, $f: Filter) { echo(id: $id, filter: $f) }', { id: 7, f: { inner: { tags: ['x'] } } }],
    ['query ($id: ID = "d", $m: Mode) { echo(id: $id, mode: $m) e: echo(ids: [$id]) }', { id: 'given' }],
    ['query ($id: ID = "d", $m: Mode) { echo(id: $id, mode: $m) }', { m: null }],
    ['query ($t: [String!]! = ["t"], $m: Mode) { echo(filter: { tags: $t, mode: $m, inner: { tags: $t } }) }'],
    [
      'query ($any: Json, $n: Float) { echo(any: $any, n: $n) f: echo(any: [$any, { x: $n }]) }',
      { any: { q: [1] }, n: 2 },
    ],
  ])('arrive as they were given: %s', async (query, variables) => {
    await expectSame(graph(), query, variables === undefined ? {} : { variables });
  });
});

describe('introspection', () => {
  test.each([
    '{ __schema { queryType { name } } file { id pin } }',
    '{ file { pin } t: __type(name: "File") { name fields { name type { kind ofType { name } } } } __typename }',
    'query ($n: String!) { a: __type(name: $n) { kind } b: __type(name: "Nothing") { kind } file { owner { name } } }',
    '{ ...I } fragment I on Query { __schema { types { name } directives { name } } file { name } }',
  ])('beside data: %s', async (query) => {
    await expectSame(graph(), query, query.includes('$n') ? { variables: { n: 'Mode' } } : {});
  });
});
