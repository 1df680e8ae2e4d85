// The deep query by hand: five pooled fetches, two of them at once, and a merge.
import http from 'node:http';
import { Pool } from 'undici';

const base = Number(process.env.SUBGRAPHS_PORT);
const [catalog, shops, offers, stock] = [0, 1, 2, 3].map(
  (index) => new Pool(`http://127.0.0.1:${base + index}`, { connections: 64 }),
);
const headers = { 'content-type': 'application/json' };
const post = async (pool, body) => {
  const response = await pool.request({ path: '/graphql', method: 'POST', headers, body: JSON.stringify(body) });
  return (await response.body.json()).data;
};
const entities = async (pool, type, fields, ids) => {
  const query = `query($representations:[_Any!]!){_entities(representations:$representations){...on ${type}{${fields}}}}`;
  const representations = ids.map((id) => ({ __typename: type, id }));
  return (await post(pool, { query, variables: { representations } }))._entities;
};

const answer = async (variables) => {
  const { regions } = await post(catalog, {
    query: 'query($seed:Int!){regions(seed:$seed){__typename id name}}',
    variables,
  });
  const ofRegions = await entities(
    shops,
    'Region',
    'shops{__typename id name}',
    regions.map(({ id }) => id),
  );
  const allShops = ofRegions.flatMap((region) => region.shops);
  const ofShops = await entities(
    offers,
    'Shop',
    'offers{__typename id price product{__typename id}}',
    allShops.map(({ id }) => id),
  );
  const allOffers = ofShops.flatMap((shop) => shop.offers);
  const [products, stocks] = await Promise.all([
    entities(
      catalog,
      'Product',
      'title brand',
      allOffers.map(({ product }) => product.id),
    ),
    entities(
      stock,
      'Offer',
      'stock{count warehouse}',
      allOffers.map(({ id }) => id),
    ),
  ]);
  let shop = 0;
  let offer = 0;
  return regions.map(({ id, name }, index) => ({
    id,
    name,
    shops: ofRegions[index].shops.map((each) => ({
      id: each.id,
      name: each.name,
      offers: ofShops[shop++].offers.map((one) => {
        const { title, brand } = products[offer];
        return {
          id: one.id,
          price: one.price,
          product: { id: one.product.id, title, brand },
          stock: stocks[offer++].stock,
        };
      }),
    })),
  }));
};

const respond = async (res, chunks) => {
  const { variables } = JSON.parse(Buffer.concat(chunks).toString());
  const body = Buffer.from(JSON.stringify({ data: { regions: await answer(variables) } }));
  res.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
  res.end(body);
};

const server = http.createServer((req, res) => {
  const chunks = [];
  req.on('data', (chunk) => chunks.push(chunk));
  req.on('end', () => void respond(res, chunks));
});
server.listen(Number(process.env.PORT), '127.0.0.1');
console.log('ready');
