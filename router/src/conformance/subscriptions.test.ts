import { parse, subscribe } from 'graphql';
import { describe, expect, test } from 'vitest';
import { collect } from '../testing/test-router.ts';
import { conformanceGraph } from './harness/conformance-graph.ts';
import type { Args } from './harness/domain.ts';

const graph = conformanceGraph({
  subgraphs: {
    news: /* GraphQL */ `
      type Query {
        story: Story
      }
      type Subscription {
        stories(count: Int! = 2): Story
        ticks(count: Int!): [Tick!]!
      }
      type Story @key(fields: "id") {
        id: ID!
        title: String
        next: Story
      }
      type Tick {
        at: Int!
        mood: Mood
      }
      enum Mood {
        GOOD
        HIDDEN @inaccessible
      }
    `,
    press: /* GraphQL */ `
      type Story @key(fields: "id") {
        id: ID!
        title: String @external
        words: Int
        headline: String @requires(fields: "title")
        secret: String!
      }
    `,
  },
  domain() {
    const story = (id: string, more: object = {}) => ({
      __typename: 'Story',
      id,
      title: `Story ${id}`,
      words: id.length,
      secret: `Secret ${id}`,
      ...more,
    });
    const second = story('s2', { secret: null });
    const stories = [story('s1', { next: second }), second];
    async function* first({ count }: Args) {
      yield* stories.slice(0, Number(count));
    }
    async function* ticks({ count }: Args) {
      for (let at = 0; at < Number(count); at += 1) {
        yield [
          { __typename: 'Tick', at, mood: 'GOOD' },
          { __typename: 'Tick', at: -at, mood: 'HIDDEN' },
        ];
      }
    }
    return {
      roots: { Query: { story: stories[0] }, Subscription: { stories: first, ticks } },
      records: stories,
      computed: { 'Story.headline': ({ title }) => `${String(title)}!` },
    };
  },
});

async function expectSameEvents(query: string, variables: Record<string, unknown> = {}): Promise<void> {
  const { oracle: schema, router } = graph();
  const stream = await subscribe({ schema, document: parse(query), variableValues: variables });
  if (!(Symbol.asyncIterator in stream)) throw new Error(JSON.stringify(stream.errors));
  const truth = [];
  for await (const { data, errors = [] } of stream) truth.push({ data, paths: errors.map(({ path }) => path) });
  expect(truth.length).toBeGreaterThan(0);
  const { events, failure } = await collect(router.wsClient(), { query, variables });
  expect(failure).toBeNull();
  const found = events.map(({ data, errors = [] }) => ({ data, paths: errors.map(({ path }) => path) }));
  expect(found).toEqual(JSON.parse(JSON.stringify(truth)));
}

describe('each event of a subscription is answered as one server would', () => {
  test.each<[string, string, Record<string, unknown>?]>([
    ['with its own fields', 'subscription { stories { id title } }'],
    ['with those of another subgraph', 'subscription { stories { words next { words } } }'],
    ['with what other fields require', 'subscription { stories { headline } }'],
    ['under aliases that are keys', 'subscription { id: stories { id: title title: id words } }'],
    ['by variables', 'subscription ($n: Int!) { stories(count: $n) { title words } }', { n: 1 }],
    [
      'with conditions',
      'subscription ($a: Boolean!) { stories { id words @include(if: $a) title @skip(if: $a) } }',
      { a: true },
    ],
    [
      'with fragments',
      'subscription { ...S } fragment S on Subscription { stories { ... on Story { __typename words } } }',
    ],
    ['with errors', 'subscription { stories { id secret } }'],
    ['with inaccessible values', 'subscription { ticks(count: 2) { at mood } }'],
  ])('%s', async (_name, query, variables) => {
    await expectSameEvents(query, variables);
  });
});
