const LINK = `extend schema @link(
  url: "https://specs.apollo.dev/federation/v2.9"
  import: [
    "@key", "@external", "@requires", "@shareable", "@interfaceObject", "@inaccessible"
    "@authenticated", "@requiresScopes", "@policy"
  ]
)`;

/** Guards on everything that can have one, and ways around each. A field that is called `broken` fails, and says all it knows. */
export const GUARDED_SUBGRAPHS: Readonly<Record<string, string>> = {
  alpha: /* GraphQL */ `
    ${LINK}
    scalar Secret @policy(policies: [["secrets"]])
    enum Level @authenticated {
      HIGH
      LOW
    }
    type Query {
      account(id: ID): Account
      accounts(first: Int = 2): [Account!]
      found: [Found!]
      one(which: Int): Found
      things: [Thing!]
      thing(which: Int): Thing
      open(which: Int): Open
      vault: Vault
      plain: Plain
      guarded: Plain @requiresScopes(scopes: [["a:read", "b:read"], ["c:read"]])
    }
    type Account @key(fields: "number") {
      number: ID! @requiresScopes(scopes: [["accounts:read"]])
      name: String
      balance: Int @policy(policies: [["balance", "human"], ["auditor"]])
      secret: Secret
      level: Level
      risk: Int @authenticated
      friend: Account
      vault: Vault
      things: [Thing!]
    }
    type Vault @policy(policies: [["vault"]]) {
      gold: Int
      keeper: Account
    }
    union Found = Account | Vault | Plain | Hidden
    type Hidden @requiresScopes(scopes: [["hidden:read"]]) {
      text: String
      account: Account
    }
    type Plain @shareable {
      text: String!
      level: Level!
      inner: Plain
      secret: Secret
    }
    interface Thing @key(fields: "id") {
      id: ID!
      label: String
      owner: Account
    }
    type Book implements Thing @key(fields: "id") {
      id: ID!
      label: String
      owner: Account
      pages: Int @requiresScopes(scopes: [["books:read"]])
    }
    type Diary implements Thing @key(fields: "id") @requiresScopes(scopes: [["diaries:read"]]) {
      id: ID!
      label: String @policy(policies: [["secrets"]])
      owner: Account
    }
    "None of its types needs anything, some of their fields do."
    interface Open {
      text: String
      account: Account
    }
    type Note implements Open {
      text: String
      account: Account @authenticated
    }
    type Page implements Open {
      text: String @requiresScopes(scopes: [["pages:read"], ["admin:pages"]])
      account: Account
      number: Int
    }
  `,
  beta: /* GraphQL */ `
    ${LINK}
    scalar Secret
    enum Level @authenticated {
      HIGH
      LOW
    }
    type Query {
      audits: [Audit!]
    }
    type Account @key(fields: "number") {
      number: ID! @requiresScopes(scopes: [["accounts:read"]])
      risk: Int @external
      score: Int @requires(fields: "risk") @authenticated
      limit: Int
      broken: String
      audit: Audit @policy(policies: [["auditor"]])
    }
    type Audit {
      notes: [String!]!
      by: Account
      plain: Plain
    }
    type Plain @shareable {
      text: String! @requiresScopes(scopes: [["plain:read"]])
      level: Level!
      inner: Plain
      secret: Secret
    }
    type Thing @key(fields: "id") @interfaceObject {
      id: ID!
      rating: Int @authenticated
      broken: String
      reviewer: Account
    }
    type Mutation {
      pay(amount: Int, to: ID!): Account @requiresScopes(scopes: [["pay:write"]])
      note(text: String!): Audit
    }
    type Subscription {
      paid: Account
      noted(by: ID): Audit @authenticated
    }
  `,
};
