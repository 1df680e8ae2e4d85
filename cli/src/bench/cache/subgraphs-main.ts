import { createServer, type IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { createDb } from '@timbre/db/client';
import {
  buildASTSchema,
  execute,
  extendSchema,
  getOperationAST,
  OperationTypeNode,
  parse,
  type DocumentNode,
} from 'graphql';
import { z } from 'zod';
import { serveCommands } from '../graph/control.ts';
import { SCHEMAS } from './graph.ts';

// `items`, at the next port `details` and at the one after it the commands: graphql-js over PostgreSQL, a query for each call. What
// they answer may be kept by everybody. Arguments: the port of `items`, the database's address, how many items there are.
const port = Number(process.argv[2]);
const { pool } = createDb(process.argv[3] ?? '', { max: 8 });
const count = Number(process.argv[4]);

const ENTITIES = /* GraphQL */ `
  scalar _Any
  union _Entity = Item
  extend type Query {
    _entities(representations: [_Any!]!): [_Entity]!
  }
`;
const requestSchema = z.object({ query: z.string(), variables: z.record(z.string(), z.unknown()).nullish() });
const itemSchema = z.object({ id: z.coerce.string() }).loose();

let calls = 0;

async function read(name: string, text: string, ids: readonly string[]): Promise<object[]> {
  const { rows } = await pool.query({ name, text, values: [ids] });
  const found = new Map(
    z
      .array(itemSchema)
      .parse(rows)
      .map((row) => [row.id, { __typename: 'Item', ...row }]),
  );
  return ids.flatMap((id) => found.get(id) ?? []);
}
const readItems = (ids: readonly string[]) =>
  read('items', 'select id, name, body, version from bench_items where id = any($1::int[])', ids);
const readDetails = (ids: readonly string[]) =>
  read(
    'details',
    'select id, price, stock, reviews, version as "versionOfDetails" from bench_items where id = any($1::int[])',
    ids,
  );
const idsOf = (representations: readonly { id: string }[]) => representations.map(({ id }) => id);

const ROOTS = {
  items: {
    item: async ({ id }: { id: string }) => (await readItems([id]))[0],
    async writeItem({ id }: { id: string }) {
      await pool.query({
        name: 'write',
        text: 'update bench_items set version = version + 1 where id = $1',
        values: [id],
      });
      return (await readItems([id]))[0];
    },
    _entities: ({ representations }: { representations: { id: string }[] }) => readItems(idsOf(representations)),
  },
  details: {
    detailCount: () => count,
    _entities: ({ representations }: { representations: { id: string }[] }) => readDetails(idsOf(representations)),
  },
};

function serve(at: number, sdl: string, rootValue: object): void {
  const schema = extendSchema(buildASTSchema(parse(sdl), { assumeValidSDL: true }), parse(ENTITIES), {
    assumeValidSDL: true,
  });
  const documents = new Map<string, DocumentNode>();
  const answer = async (req: IncomingMessage) => {
    const { query, variables } = requestSchema.parse(await json(req));
    const document = documents.get(query) ?? parse(query);
    documents.set(query, document);
    calls++;
    const text = JSON.stringify(await execute({ schema, document, rootValue, variableValues: variables ?? {} }));
    const isQuery = getOperationAST(document)?.operation === OperationTypeNode.QUERY;
    return { text, caching: isQuery ? 'public, max-age=300' : 'no-store' };
  };
  createServer((req, res) => {
    answer(req).then(
      ({ text, caching }) =>
        res.writeHead(200, { 'content-type': 'application/json', 'cache-control': caching }).end(text),
      (error: unknown) => res.writeHead(500).end(String(error)),
    );
  }).listen(at, '127.0.0.1');
}

await pool.query(
  'create table bench_items (id int primary key, version int, name text, body text, price int, stock int, reviews jsonb)',
);
await pool.query(
  `insert into bench_items select id, 1, 'Item ' || id, repeat('All about it. ', 20), id % 100, id % 7,
     (select jsonb_agg(jsonb_build_object('stars', 1 + n % 5, 'text', 'Just what I was looking for.')) from generate_series(1, 5) n)
   from generate_series(0, $1::int - 1) id`,
  [count],
);
serve(port, SCHEMAS.items, ROOTS.items);
serve(port + 1, SCHEMAS.details, ROOTS.details);
await serveCommands(port + 2, {
  takeCalls() {
    const taken = calls;
    calls = 0;
    return taken;
  },
});
