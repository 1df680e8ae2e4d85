import { AppError } from '@timbre/platform/errors';
import { compose } from './compose.ts';
import { startTestSubgraph } from './test-subgraph.ts';

const LINK = `extend schema @link(
  url: "https://specs.apollo.dev/federation/v2.9"
  import: [
    "@key", "@external", "@requires", "@shareable", "@inaccessible", "@interfaceObject", "@context", "@fromContext"
    "@authenticated", "@requiresScopes", "@policy"
  ]
)`;

const ACCOUNTS = /* GraphQL */ `
  ${LINK}
  enum Status @authenticated {
    OPEN
    CLOSED
  }
  scalar Token @policy(policies: [["read:token"]])
  input Filter {
    status: Status
  }
  type Query {
    account: Account
    accounts(filter: Filter): [Account!]
    vault: Vault
    things: [Thing!]
    person: Named
    free: String
  }
  type Account @key(fields: "number") {
    number: ID @requiresScopes(scopes: [["accounts:read"]])
    name: String
    balance: Int @policy(policies: [["read:balance", "human"], ["auditor"]])
    status: Status
    token: Token
    risk: Int @authenticated
    open: String @requiresScopes(scopes: [])
  }
  type Vault @policy(policies: [["open:vault"]]) {
    gold: Int
  }
  interface Thing @key(fields: "id") {
    id: ID!
    label: String
  }
  type Book implements Thing @key(fields: "id") {
    id: ID!
    label: String
  }
  type Diary implements Thing @key(fields: "id") @requiresScopes(scopes: [["diaries:read"]]) {
    id: ID!
    label: String
  }
  interface Named {
    motto: String
    friend: Named
  }
  type Person implements Named {
    motto: String
    friend: Named
  }
  type Spy implements Named {
    motto: String @authenticated
    friend: Named
  }
  type Ghost @inaccessible @authenticated {
    name: String
  }
  type Subscription {
    changes: Account
  }
`;

const SCORES = /* GraphQL */ `
  ${LINK}
  type Query {
    ledger: Ledger
  }
  type Ledger @context(name: "ledger") {
    currency: String @authenticated
    entry: Entry
  }
  type Account @key(fields: "number") {
    number: ID @requiresScopes(scopes: [["accounts:read"]])
    risk: Int @external
    score: String @requires(fields: "risk") @authenticated
    limit: Int
    broken: String
  }
  type Entry @key(fields: "id") {
    id: ID!
    amount(currency: String @fromContext(field: "$ledger { currency }")): String @authenticated
  }
  type Thing @key(fields: "id") @interfaceObject {
    id: ID!
    rating: Int @authenticated
  }
`;

export interface GuardedGraph {
  supergraph: string;
  subgraphUrl(name: string): string | undefined;
  /** Names of the fields and types that were resolved. */
  resolved: string[];
  close(): Promise<void>;
}

const account = { number: '4711', name: 'Ada', balance: 1234, status: 'OPEN', token: 'tok-55', risk: 77, open: 'yes' };

const ada = { __typename: 'Person', motto: 'Onward', friend: { __typename: 'Person', motto: 'Upward' } };

/** Two subgraphs with everything that can be guarded, and with `@policy`. */
export async function startGuardedGraph(): Promise<GuardedGraph> {
  const resolved: string[] = [];
  const note =
    <Value>(name: string, value: Value) =>
    (): Value => {
      resolved.push(name);
      return value;
    };
  const accounts = await startTestSubgraph('accounts', ACCOUNTS, {
    Query: {
      account: note('account', account),
      accounts: note('accounts', [account, account]),
      vault: note('vault', { gold: 99 }),
      things: note('things', [
        { __typename: 'Book', id: 'b1', label: 'A book' },
        { __typename: 'Diary', id: 'd1', label: 'Dear diary' },
      ]),
      person: note('person', ada),
      free: note('free', 'for all'),
    },
    Thing: { __resolveType: ({ __typename }: { __typename: string }) => __typename },
    Named: { __resolveType: ({ __typename }: { __typename: string }) => __typename },
    Subscription: {
      changes: {
        async *subscribe() {
          yield account;
          yield account;
        },
        resolve: (value: unknown) => value,
      },
    },
  });
  const scores = await startTestSubgraph('scores', SCORES, {
    Query: { ledger: note('ledger', { currency: 'CHF-77', entry: { id: 'e1' } }) },
    Entry: { amount: (_: unknown, { currency }: { currency: string }) => `5 ${currency}` },
    Account: {
      score: ({ risk }: { risk: number }) => `scored ${risk}`,
      limit: () => 1000,
      broken: ({ number }: { number: string }) => {
        throw new AppError('CONFLICT', `The account ${number} is broken.`, { details: { number } });
      },
    },
    Thing: { rating: () => 5 },
  });
  const urls: Record<string, string> = { accounts: accounts.url, scores: scores.url };
  return {
    supergraph: compose({ accounts: ACCOUNTS, scores: SCORES }),
    subgraphUrl: (name) => urls[name],
    resolved,
    close: async () => void (await Promise.all([accounts.stop(), scores.stop()])),
  };
}
