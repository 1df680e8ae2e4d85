// The deep query's subgraphs: regions and products, shops, offers, stock. One query is five fetches and a thousand entities:
// 10 regions, 90 shops, 450 offers (for their stock) and 450 products.
import http from 'node:http';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { execute, parse, validate } from 'graphql';
import { compileQuery, isCompiledQuery } from 'graphql-jit';

export const catalogSDL = `type Query { regions(seed: Int! = 0): [Region!]! }
type Region @key(fields: "id") { id: ID! name: String! }
type Product @key(fields: "id") { id: ID! title: String! brand: String! }`;
export const shopsSDL = `extend type Region @key(fields: "id") { id: ID! @external shops: [Shop!]! }
type Shop @key(fields: "id") { id: ID! name: String! }`;
export const offersSDL = `extend type Shop @key(fields: "id") { id: ID! @external offers: [Offer!]! }
type Offer @key(fields: "id") { id: ID! price: Int! product: Product! }
extend type Product @key(fields: "id") { id: ID! @external }`;
export const stockSDL = `extend type Offer @key(fields: "id") { id: ID! @external stock: Stock! }
type Stock { count: Int! warehouse: String! }`;

const several = (count, id) => Array.from({ length: count }, (_, i) => id(i));
const reference = { __resolveReference: ({ id }) => ({ id }) };

const subgraphs = {
  catalog: [
    catalogSDL,
    {
      Query: { regions: (_, { seed }) => several(10, (i) => ({ id: `${seed}-${i}`, name: `Region ${i}` })) },
      Region: { __resolveReference: ({ id }) => ({ id, name: `Region ${id}` }) },
      Product: { __resolveReference: ({ id }) => ({ id, title: `Product ${id}`, brand: `Brand ${id.length}` }) },
    },
  ],
  shops: [
    shopsSDL,
    {
      Region: { ...reference, shops: ({ id }) => several(9, (i) => ({ id: `${id}-${i}`, name: `Shop ${i}` })) },
      Shop: { __resolveReference: ({ id }) => ({ id, name: `Shop ${id}` }) },
    },
  ],
  offers: [
    offersSDL,
    {
      Shop: {
        ...reference,
        offers: ({ id }) => several(5, (i) => ({ id: `${id}-${i}`, price: 100 + i, product: { id: `p${id}-${i}` } })),
      },
      Offer: { __resolveReference: ({ id }) => ({ id, price: 100, product: { id: `p${id}` } }) },
      Product: reference,
    },
  ],
  stock: [stockSDL, { Offer: { ...reference, stock: ({ id }) => ({ count: id.length, warehouse: `W${id}` }) } }],
};

const hits = Object.fromEntries(Object.keys(subgraphs).map((name) => [name, 0]));

function serve(name, schema, port) {
  const cache = new Map();
  const compiled = (query, operationName) => {
    const known = cache.get(query);
    if (known) return known;
    const document = parse(query);
    const errors = validate(schema, document);
    const jit = errors.length > 0 ? null : compileQuery(schema, document, operationName);
    const run =
      jit === null
        ? () => ({ errors })
        : isCompiledQuery(jit)
          ? (variables) => jit.query(undefined, {}, variables)
          : (variableValues) => execute({ schema, document, variableValues, operationName });
    cache.set(query, run);
    return run;
  };
  const respond = async (res, chunks) => {
    hits[name]++;
    const { query, variables, operationName } = JSON.parse(Buffer.concat(chunks).toString());
    const body = Buffer.from(JSON.stringify(await compiled(query, operationName)(variables ?? {})));
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
    res.end(body);
  };
  const server = http.createServer((req, res) => {
    if (req.url === '/stats') {
      res.end(JSON.stringify(hits));
      for (const each of Object.keys(hits)) hits[each] = 0;
      return;
    }
    const chunks = [];
    req.on('data', (chunk) => chunks.push(chunk));
    req.on('end', () => void respond(res, chunks));
  });
  server.listen(port, '127.0.0.1');
}

if (process.argv[2] === 'serve') {
  const port = Number(process.env.SUBGRAPHS_PORT);
  for (const [index, [name, [sdl, resolvers]]] of Object.entries(subgraphs).entries())
    serve(name, buildSubgraphSchema({ typeDefs: parse(sdl), resolvers }), port + index);
  console.log('ok');
}
