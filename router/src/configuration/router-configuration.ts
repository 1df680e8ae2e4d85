import { z } from 'zod';
import { authentication } from './authentication-configuration.ts';

const count = z.int().min(0);
const positive = z.int().min(1);
const milliseconds = positive.describe('milliseconds');

const limits = z
  .strictObject({
    maxTokens: positive.describe('lexical tokens of a document'),
    maxDepth: positive.describe('fields below one another'),
    maxAliases: count.describe('aliased fields'),
    maxRootFields: positive.describe('fields of the operation itself'),
    maxFields: positive.describe('fields altogether, fragments spread'),
    maxDirectives: count.describe('directives, fragments spread'),
    maxDefers: count.describe('deferred fragments, fragments spread'),
    maxListLength: positive.describe('items of any one list, in variables and in the document'),
    maxInputDepth: positive.describe('lists and objects within one another, in variables'),
    introspectionDepth: z.boolean().describe('bound nested lists of types in introspection'),
  })
  .exactPartial();

const perSecond = z.number().positive().describe('per second; below one, one in as many seconds as it takes');

const rates = z
  .strictObject({
    perPrincipal: perSecond,
    perAddress: perSecond.describe('per second, of all who are anonymous at one address'),
    operations: z.record(z.string(), perSecond).describe('of one principal or address, by the name of the operation'),
  })
  .exactPartial();

const concurrency = z
  .strictObject({
    total: positive.describe(
      'queries and mutations of everybody at once, each for a second at most; others wait for two seconds at most',
    ),
    operations: positive.describe('queries and mutations of one principal at once'),
    subscriptions: positive.describe('of one principal'),
    subscriptionBytes: positive.describe('of the documents and variables of all subscriptions of one principal'),
    sockets: positive.describe('websockets of one principal'),
    socketsPerAddress: positive.describe('websockets of one address, whoever comes by it'),
    operationsPerSocket: positive.describe('on one websocket at once, subscriptions included'),
  })
  .exactPartial();

const documents = z
  .strictObject({
    automatic: z.boolean().describe('automatic persisted queries'),
    trusted: z.strictObject({
      source: z
        .string()
        .describe("a manifest of Apollo's format, or a directory of operations: a path from this file, or a URL"),
      mode: z.enum(['off', 'log', 'enforce', 'enforce-ids']).describe('what becomes of other documents'),
      freeformScope: z.string().min(1).describe('who holds it may send anything').exactOptional(),
    }),
  })
  .exactPartial();

const byPlan = <T extends z.ZodType>(value: T) =>
  z.strictObject({
    default: value,
    anonymous: value.describe('for callers without a token').exactOptional(),
    plans: z.record(z.string(), value).exactOptional(),
  });

const subgraphDemand = z
  .strictObject({
    maximum: positive.describe('the most points that all that an operation asks of it may be estimated to cost'),
    listSize: count,
  })
  .exactPartial();

const demand = z.strictObject({
  mode: z.enum(['measure', 'enforce']).describe('measure refuses nothing'),
  maximum: byPlan(positive).describe('the most points that an operation may be estimated to cost').exactOptional(),
  budget: byPlan(
    z.strictObject({
      limit: positive.describe('points that are there at most'),
      restoreRate: z.number().positive().describe('points that come back in a second'),
    }),
  )
    .describe('what operations are paid from, a bucket for each user or address')
    .exactOptional(),
  planning: count
    .describe('points that a document costs on top that is new to the router, taken before it is looked at')
    .exactOptional(),
  tell: z.boolean().describe('clients are told in extensions.cost').exactOptional(),
  bySubgraph: z.boolean().describe('with what of it is whose').exactOptional(),
  estimate: z
    .enum(['supergraph', 'fetches'])
    .describe('fetches: by what a plan asks subgraphs for, and the rules of the Apollo Router')
    .exactOptional(),
  subgraphs: z
    .strictObject({ all: subgraphDemand, named: z.record(z.string(), subgraphDemand) })
    .exactPartial()
    .exactOptional(),
  listSize: count.describe('what a list counts about which nothing is said').exactOptional(),
});

const cors = z.strictObject({
  origins: z.array(z.string()).describe('exact, with * for one label of the host, or * for everybody'),
  credentials: z.boolean().describe('cookies; only with exact origins').exactOptional(),
  allowHeaders: z.array(z.string()).describe('default whatever is asked for').exactOptional(),
  exposeHeaders: z.array(z.string()).exactOptional(),
  maxAgeSeconds: count.describe('how long a browser remembers a preflight').exactOptional(),
});

const forwardedHeader = z.enum(['x-forwarded-for', 'forwarded']).exactOptional();

const headerRule = z.union([
  z.string(),
  z.strictObject({ name: z.string(), as: z.string().exactOptional(), default: z.string().exactOptional() }),
]);

const http = z
  .strictObject({
    connections: positive.describe('sockets to one subgraph'),
    connectTimeoutMs: milliseconds,
    headersTimeoutMs: milliseconds.describe('until the first byte of an answer, and between two of them'),
    timeoutMs: milliseconds.describe('for a whole call, retries included'),
    maxResponseBytes: positive,
    retries: count.describe('of a query to which no answer arrived'),
  })
  .exactPartial();

const subscriptions = z
  .strictObject({
    keepAliveMs: milliseconds.describe('between pings of a websocket and heartbeats of other streams'),
    eventQueueCapacity: positive.describe('events that may wait for one client'),
    slowClient: z.strictObject({ bytes: positive, ms: milliseconds }),
    resume: z
      .record(z.string(), z.strictObject({ argument: z.string(), field: z.string() }))
      .describe('by subscription field: which argument takes which field of the last event'),
  })
  .exactPartial();

const authorization = z
  .strictObject({
    unauthorized: z
      .enum(['filter', 'reject'])
      .describe('what is not allowed is null, or has the whole operation refused'),
    dryRun: z.boolean().describe('answer everything, and say what would not be allowed'),
    errors: z
      .strictObject({
        log: z.boolean().describe('a line for every operation of which something is not allowed'),
        response: z.enum(['errors', 'extensions', 'disabled']).describe('where clients are told'),
      })
      .exactPartial(),
    policiesTtlMs: count.describe('milliseconds for which the answer of a policy holds for its principal'),
  })
  .exactPartial();

const caching = z
  .strictObject({
    enabled: z.boolean(),
    ttlSeconds: count.describe('for what is kept of whose answers no age is said; without it, that is not kept'),
  })
  .exactPartial();

const mutationReach = z
  .strictObject({
    subgraphs: z.array(z.string()).min(1).describe('whose answers it can change, in whatever way; default all'),
    public: z.boolean().describe('whether it can change what everybody is shown; default true'),
    returnedOnly: z
      .boolean()
      .describe('whether nothing changes but the one entity that it returns, and no list or count; default false'),
  })
  .exactPartial();

const responseCache = z
  .strictObject({
    mutations: z
      .record(z.string(), mutationReach)
      .describe('what mutations can change, where that is less than everything; by their fields'),
    maxBytes: positive.describe('that the process keeps at most; default 128 MiB'),
    invalidation: z.strictObject({
      sharedKey: z.string().min(16).describe('of those who may POST to /cache/invalidate'),
    }),
    all: caching,
    subgraphs: z.record(z.string(), caching),
  })
  .exactPartial()
  .describe('keep what subgraphs answer, as far as they allow it');

/** What a `router.yaml` may say. Each part is described where the router's options are: `RouterOptions`. */
export const configurationSchema = z
  .strictObject({
    introspection: z
      .union([z.boolean(), z.strictObject({ scope: z.string().min(1) })])
      .describe('for everybody, for nobody, or for who holds a scope'),
    authentication,
    authorization,
    limits,
    rates,
    concurrency,
    documents,
    demand,
    responseCache,
    maxBodyBytes: positive.describe('of a request body, and of a websocket message where that is less than 256 KiB'),
    trustedProxies: z
      .union([
        z.strictObject({ count: count.describe('of proxies before the router'), header: forwardedHeader }),
        z.strictObject({ addresses: z.array(z.string()).min(1).describe('and networks'), header: forwardedHeader }),
      ])
      .describe("whose word is taken for a caller's address"),
    requireClient: z.boolean().describe('refuse clients that do not say their name and version'),
    batching: z.strictObject({ maximum: positive }).describe('operations in one request; without it, one'),
    compression: z.boolean().describe('br and gzip of large answers'),
    csrfPrevention: z
      .union([z.boolean(), z.strictObject({ headers: z.array(z.string()).min(1) })])
      .describe('refuse what a foreign page could send unasked; headers: of which one is enough'),
    cors,
    lameDuckMs: count.max(9_000).describe('for how long a stop still takes connections, not ready any more; default 0'),
    accessLog: z
      .strictObject({ sample: z.number().min(0).max(1).describe('of those that went well').exactOptional() })
      .describe('a line for each operation'),
    subgraphErrors: z
      .strictObject({ all: z.boolean(), subgraphs: z.record(z.string(), z.boolean()).exactOptional() })
      .describe('whether clients are told what subgraphs say of their errors'),
    headers: z.strictObject({ propagate: z.array(headerRule) }),
    subgraphs: http,
    subscriptions,
  })
  .exactPartial();

export type RouterConfiguration = z.output<typeof configurationSchema>;
