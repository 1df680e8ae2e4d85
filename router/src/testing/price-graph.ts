import { compose } from './compose.ts';
import { startTestSubgraph } from './test-subgraph.ts';

const LINK = `extend schema @link(
  url: "https://specs.apollo.dev/federation/v2.9"
  import: ["@key", "@external", "@requires", "@interfaceObject"]
)
enum Currency { NONE USD EUR CHF GBP JPY }`;

const CATALOG = /* GraphQL */ `
  ${LINK}
  type Query {
    products: [Product!]
    media: [Media!]
    things: [Thing!]
  }
  union Thing = Product | Book
  type Product @key(fields: "upc") {
    upc: ID!
    weight: Int
    price(currency: Currency! = NONE, digits: Int = 0): String
    "Not the router's."
    price__r2: String
    offers(first: Int!): [Offer!]
  }
  type Offer {
    price(currency: Currency!): String
  }
  interface Media @key(fields: "id") {
    id: ID!
    price(currency: Currency!): String
  }
  type Book implements Media @key(fields: "id") {
    id: ID!
    price(currency: Currency!): String
  }
`;

const SHIPPING = /* GraphQL */ `
  ${LINK}
  type Product @key(fields: "upc") {
    upc: ID!
    weight: Int @external
    price(currency: Currency! = NONE, digits: Int = 0): String @external
    offers(first: Int!): [Offer!] @external
    inUSD(suffix: String): String @requires(fields: "price(currency: USD, digits: 2) weight")
    inEUR(suffix: String): String @requires(fields: "price(currency: EUR) weight")
    alsoInUSD: String @requires(fields: "price(digits: 2, currency: USD)")
    plain: String @requires(fields: "price")
    offerInUSD: String @requires(fields: "offers(first: 1) { price(currency: USD) }")
    offersInEUR: String @requires(fields: "offers(first: 2) { price(currency: EUR) }")
    offerInEUR: String @requires(fields: "offers(first: 1) { price(currency: EUR) }")
    free: String
    carrier: Carrier @requires(fields: "price(currency: USD)")
  }
  type Carrier @key(fields: "id") {
    id: ID!
  }
  type Offer {
    price(currency: Currency!): String @external
  }
  type Media @key(fields: "id") @interfaceObject {
    id: ID!
    price(currency: Currency!): String @external
    mediaInUSD: String @requires(fields: "price(currency: USD)")
    mediaInEUR: String @requires(fields: "price(currency: EUR)")
  }
`;

const TAXES = /* GraphQL */ `
  ${LINK}
  type Product @key(fields: "upc") {
    upc: ID!
    price(currency: Currency! = NONE, digits: Int = 0): String @external
    inUSD(suffix: String): String @external
    inEUR(suffix: String): String @external
    tax: String @requires(fields: "price(currency: CHF)")
    both: String @requires(fields: "inUSD inEUR")
  }
  type Carrier @key(fields: "id") {
    id: ID!
    licence: String
  }
`;

/** What a field sees of its entity, if it requires it. */
interface Representation {
  __typename?: string;
  price: string;
  weight: number;
  inUSD: string;
  inEUR: string;
  offers: { price: string }[];
}

/** Three subgraphs in which many fields require the same ones, with other arguments each. */
export interface PriceGraph {
  supergraph: string;
  subgraphUrl(name: string): string | undefined;
  /** The representations that were sent to a subgraph, without the types. */
  sent: Record<'shipping' | 'taxes', object[]>;
  close(): Promise<void>;
}

const receive = (sent: PriceGraph['sent'], subgraph: keyof PriceGraph['sent']) => (representation: Representation) => {
  const { __typename, ...rest } = representation;
  sent[subgraph].push(rest);
  return representation;
};

const priced = (amount: number) => ({
  price: ({ currency, digits = 0 }: { currency: string; digits?: number }) => `${amount.toFixed(digits)} ${currency}`,
});
const product = (upc: string) => ({
  __typename: 'Product',
  upc,
  weight: Number(upc) * 10,
  ...priced(Number(upc)),
  price__r2: 'its own',
  offers: ({ first }: { first: number }) => Array.from({ length: first }, (_, i) => priced(Number(upc) * 100 + i)),
});
const book = (id: string) => ({ __typename: 'Book', id, ...priced(7) });
const offers = (list: Representation['offers']) => list.map(({ price }) => price).join();

const resolversFor = (sent: PriceGraph['sent']) => ({
  catalog: {
    Query: {
      products: () => [product('1'), product('2')],
      media: () => [book('b')],
      things: () => [book('b'), product('1')],
    },
    Product: { __resolveReference: ({ upc }: { upc: string }) => product(upc) },
    Book: { __resolveReference: ({ id }: { id: string }) => book(id) },
    Media: { __resolveReference: ({ id }: { id: string }) => book(id), __resolveType: () => 'Book' },
    Thing: { __resolveType: ({ __typename }: { __typename: string }) => __typename },
  },
  shipping: {
    Product: {
      __resolveReference: receive(sent, 'shipping'),
      inUSD: (sees: Representation, { suffix = '' }) => `${sees.price} ${sees.weight}${suffix}`,
      inEUR: (sees: Representation, { suffix = '' }) => `${sees.price} ${sees.weight}${suffix}`,
      alsoInUSD: (sees: Representation) => sees.price,
      plain: (sees: Representation) => sees.price,
      offerInUSD: (sees: Representation) => offers(sees.offers),
      offersInEUR: (sees: Representation) => offers(sees.offers),
      offerInEUR: (sees: Representation) => offers(sees.offers),
      free: () => 'free',
      carrier: (sees: Representation) => ({ id: `for ${sees.price}` }),
    },
    Media: {
      __resolveReference: receive(sent, 'shipping'),
      mediaInUSD: (sees: Representation) => sees.price,
      mediaInEUR: (sees: Representation) => sees.price,
    },
  },
  taxes: {
    Product: {
      __resolveReference: receive(sent, 'taxes'),
      tax: (sees: Representation) => sees.price,
      both: (sees: Representation) => `${sees.inUSD} + ${sees.inEUR}`,
    },
    Carrier: { licence: ({ id }: { id: string }) => `licence ${id}` },
  },
});

export async function startPriceGraph(): Promise<PriceGraph> {
  const sent: PriceGraph['sent'] = { shipping: [], taxes: [] };
  const resolvers = resolversFor(sent);
  const catalog = await startTestSubgraph('catalog', CATALOG, resolvers.catalog);
  const shipping = await startTestSubgraph('shipping', SHIPPING, resolvers.shipping);
  const taxes = await startTestSubgraph('taxes', TAXES, resolvers.taxes);
  const urls: Record<string, string> = { catalog: catalog.url, shipping: shipping.url, taxes: taxes.url };
  return {
    supergraph: compose({ catalog: CATALOG, shipping: SHIPPING, taxes: TAXES }),
    subgraphUrl: (name) => urls[name],
    sent,
    close: async () => void (await Promise.all([catalog, shipping, taxes].map(({ stop }) => stop()))),
  };
}
