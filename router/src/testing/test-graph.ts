import { AppError } from '@timbre/platform/errors';
import type { Identity } from '@timbre/platform/identity';
import type { RequestContext } from '@timbre/platform/subgraph-server';
import type { Tracing } from '@timbre/platform/telemetry/tracing';
import { compose } from './compose.ts';
import { startTestSubgraph } from './test-subgraph.ts';

const LINK = `extend schema @link(
  url: "https://specs.apollo.dev/federation/v2.9"
  import: ["@key", "@external", "@shareable", "@authenticated", "@requiresScopes", "@cost", "@listSize"]
)`;

const PEOPLE = /* GraphQL */ `
  ${LINK}
  interface Node {
    id: ID!
  }
  type Person implements Node @key(fields: "id") {
    id: ID!
    name: String
    email: String @requiresScopes(scopes: [["profile:read"], ["admin:users"]])
    badge: ID! @requiresScopes(scopes: [["badges:read", "profile:read"]])
    secret: Secret
  }
  type Document implements Node @key(fields: "id") @requiresScopes(scopes: [["documents:read"]]) {
    id: ID!
    title: String
  }
  type Secret @authenticated {
    value: String
  }
  type Card @key(fields: "number") {
    number: ID @requiresScopes(scopes: [["cards:read"]])
  }
  union Found = Person | Document
  type Who {
    userId: ID
    roles: [String!]!
    scopes: [String!]!
    requestId: String
  }
  type Query {
    me: Person @authenticated
    person(id: ID!): Person
    people(first: Int! = 3): [Person!] @listSize(slicingArguments: ["first"], requireOneSlicingArgument: false)
    node(id: ID!): Node
    search: [Found!]
    card: Card
    who: Who
    fails: String
    refuses: String
    costly: String @cost(weight: 400)
  }
  type Mutation {
    rename(name: String!): Person @authenticated
  }
`;

const VOICES = /* GraphQL */ `
  ${LINK}
  type Person @key(fields: "id") {
    id: ID!
    voices(first: Int! = 2): [Voice!] @listSize(slicingArguments: ["first"], requireOneSlicingArgument: false)
    favourite: Voice
    unlucky: String
  }
  type Card @key(fields: "number") {
    number: ID @requiresScopes(scopes: [["cards:read"]])
    limit: Int
  }
  type Voice @key(fields: "id") {
    id: ID!
    label: String
    owner: Person
  }
  type Tick {
    sequence: Int!
    person: Person
  }
  type Query {
    voice(id: ID!): Voice
  }
  type Subscription {
    ticks(count: Int!, after: Int! = 0): Tick
    secretTicks: Tick @requiresScopes(scopes: [["voices:read"]])
    refusedTicks: Tick
    "Nothing until the first tick."
    changes(after: Int! = 0): Tick
    flood: Int
  }
`;

export interface TestGraph {
  supergraph: string;
  subgraphUrl(name: string): string | undefined;
  people: { stop(): Promise<void>; start(): Promise<void> };
  voices: { stop(): Promise<void>; start(): Promise<void> };
  /** How many source streams of `ticks` and `secretTicks` are open in the subgraph. */
  openStreams(): number;
  /** Lets every open `ticks` stream emit once. */
  tick(): void;
  /** Identities that the voices subgraph was subscribed with. */
  subscribedBy: Identity[];
  calls: string[];
  close(): Promise<void>;
}

const person = (id: string) => ({
  __typename: 'Person',
  id,
  name: `Person ${id}`,
  email: `${id}@example.com`,
  badge: `badge-${id}`,
  secret: { value: `secret of ${id}` },
});

/** Two real subgraph servers with something of everything that the router has to deal with. */
export async function startTestGraph(
  tracingOf: (subgraph: string) => Promise<Tracing | null> = async () => null,
): Promise<TestGraph> {
  const calls: string[] = [];
  const subscribedBy: Identity[] = [];
  const waiting = new Set<() => void>();
  let open = 0;

  const peopleResolvers = {
    Node: { __resolveType: (value: { __typename: string }) => value.__typename },
    Found: { __resolveType: (value: { __typename: string }) => value.__typename },
    Person: { __resolveReference: ({ id }: { id: string }) => person(id) },
    Query: {
      me: (_: unknown, __: unknown, { identity }: RequestContext) => person(identity.userId ?? 'nobody'),
      person: (_: unknown, { id }: { id: string }) => (id === 'gone' ? null : person(id)),
      people: (_: unknown, { first }: { first: number }) => Array.from({ length: first }, (_v, i) => person(`p${i}`)),
      node: (_: unknown, { id }: { id: string }) =>
        id.startsWith('d') ? { __typename: 'Document', id, title: `Title ${id}` } : person(id),
      search: () => [person('p1'), { __typename: 'Document', id: 'd1', title: 'Title d1' }],
      card: () => ({ number: '4711' }),
      who: (_: unknown, __: unknown, { identity, requestId }: RequestContext) => ({ ...identity, requestId }),
      fails: () => {
        throw new Error('relation "secrets" does not exist');
      },
      refuses: () => {
        throw new AppError('CONFLICT', 'Somebody was faster.', { details: { by: 'a second' } });
      },
      costly: () => 'worth it',
    },
    Mutation: {
      rename: (_: unknown, { name }: { name: string }, { identity }: RequestContext) => {
        calls.push(`rename ${name}`);
        return { ...person(identity.userId ?? 'nobody'), name };
      },
    },
  };

  const nextTick = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      waiting.add(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });

  async function* ticks(count: number, after: number, signal: AbortSignal) {
    open += 1;
    try {
      for (let sequence = after + 1; sequence <= count; sequence += 1) {
        yield { sequence };
        if (sequence === count) return;
        await nextTick(signal);
        if (signal.aborted) return;
      }
    } finally {
      open -= 1;
    }
  }

  async function* changes(after: number, signal: AbortSignal) {
    open += 1;
    try {
      for (let sequence = after + 1; ; sequence += 1) {
        await nextTick(signal);
        if (signal.aborted) return;
        yield { sequence };
      }
    } finally {
      open -= 1;
    }
  }

  const voicesResolvers = {
    Person: {
      voices: ({ id }: { id: string }, { first }: { first: number }) =>
        Array.from({ length: first }, (_v, i) => ({ id: `${id}-v${i}`, label: `Voice ${i} of ${id}` })),
      favourite: ({ id }: { id: string }) => ({ id: `${id}-v0`, label: `Voice 0 of ${id}` }),
      unlucky: ({ id }: { id: string }) => {
        if (id === 'p1') throw new AppError('GONE', 'No luck.');
        return `luck of ${id}`;
      },
    },
    Card: { limit: () => 1000 },
    Voice: { owner: ({ id }: { id: string }) => ({ id: id.split('-', 1)[0] }) },
    Tick: { person: ({ sequence }: { sequence: number }) => ({ id: `p${sequence}` }) },
    Query: { voice: (_: unknown, { id }: { id: string }) => ({ id, label: `Voice ${id}` }) },
    Subscription: {
      ticks: {
        subscribe: (_: unknown, args: { count: number; after: number }, { identity, signal }: RequestContext) => {
          subscribedBy.push(identity);
          return ticks(args.count, args.after, signal);
        },
        resolve: (tick: unknown) => tick,
      },
      secretTicks: {
        subscribe: (_: unknown, __: unknown, { signal }: RequestContext) => ticks(1_000_000, 0, signal),
        resolve: (tick: unknown) => tick,
      },
      changes: {
        subscribe: (_: unknown, { after }: { after: number }, { signal }: RequestContext) => changes(after, signal),
        resolve: (tick: unknown) => tick,
      },
      refusedTicks: {
        subscribe: () => {
          throw new AppError('NOT_FOUND', 'No such ticks.');
        },
      },
      flood: {
        subscribe: async function* flood() {
          for (let i = 0; i < 100_000; i += 1) yield i;
        },
        resolve: (value: unknown) => value,
      },
    },
  };

  const people = await startTestSubgraph('people', PEOPLE, peopleResolvers, await tracingOf('people'));
  const voices = await startTestSubgraph('voices', VOICES, voicesResolvers, await tracingOf('voices'));
  const urls: Record<string, string> = { people: people.url, voices: voices.url };

  return {
    supergraph: compose({ people: PEOPLE, voices: VOICES }),
    subgraphUrl: (name) => urls[name],
    people,
    voices,
    openStreams: () => open,
    tick() {
      const all = [...waiting];
      waiting.clear();
      for (const resolve of all) resolve();
    },
    subscribedBy,
    calls,
    close: async () => void (await Promise.all([people.stop(), voices.stop()])),
  };
}
