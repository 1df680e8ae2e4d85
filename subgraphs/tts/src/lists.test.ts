import { generations } from '@timbre/db/tts/tables';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { cancel, order } from './testing/operations.ts';
import { startTestTts, type Person, type TestTts } from './testing/test-tts.ts';

// Nothing is spoken here: what is listed stays in the queue.
let tts: TestTts;
let person: Person;
let voiceId: string;
let otherVoiceId: string;
/** Oldest first. */
const ids: string[] = [];
beforeAll(async () => {
  tts = await startTestTts();
  person = tts.person();
  voiceId = await tts.voice(person.id);
  otherVoiceId = await tts.voice(null);
  for (let i = 0; i < 9; i += 1) {
    const id = await order(person, { voiceId: i % 3 === 0 ? otherVoiceId : voiceId, text: `Number ${String(i)}` });
    const createdAt = new Date(Date.UTC(2026, 0, 1 + i));
    await tts.db.update(generations).set({ createdAt }).where(eq(generations.id, id));
    ids.push(id);
  }
  await cancel(person, ids[4] ?? '');
  await order(tts.person(), { voiceId: otherVoiceId, text: 'Somebody else’s.' });
});
afterAll(() => tts.close());

const pageSchema = z.object({
  edges: z.array(z.object({ cursor: z.string(), node: z.object({ id: z.string() }) })),
  pageInfo: z.object({
    hasNextPage: z.boolean(),
    hasPreviousPage: z.boolean(),
    startCursor: z.string().nullable(),
    endCursor: z.string().nullable(),
  }),
});

async function page(args: { first?: number; after?: string | null; filter?: object }, who = person) {
  const { entities } = await who.ask(
    `query ($who: [_Any!]!, $first: Int! = 20, $after: String, $filter: GenerationFilter) {
      entities: _entities(representations: $who) {
        ... on User {
          generations(first: $first, after: $after, filter: $filter) {
            edges { cursor node { id } }
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
          }
        }
      }
    }`,
    { who: [{ __typename: 'User', id: who.id }], ...args },
    z.object({ entities: z.tuple([z.object({ generations: pageSchema })]) }),
  );
  return entities[0].generations;
}
const idsOf = async (args: Parameters<typeof page>[0]) => (await page(args)).edges.map(({ node }) => node.id);
const newest = (...indexes: number[]) => indexes.map((i) => ids[i]);

describe('User.generations', () => {
  test('pages through everything once, newest first', async () => {
    const seen: string[] = [];
    let after: string | null = null;
    for (let pages = 1; ; pages += 1) {
      const { edges, pageInfo } = await page({ first: 4, after });
      seen.push(...edges.map(({ node }) => node.id));
      expect(pageInfo.hasPreviousPage).toBe(pages > 1);
      after = pageInfo.endCursor;
      if (!pageInfo.hasNextPage) break;
    }
    expect(seen).toEqual(ids.toReversed());
  });

  test('filters by voice, state and time', async () => {
    expect(await idsOf({ filter: { voiceId: otherVoiceId } })).toEqual(newest(6, 3, 0));
    expect(await idsOf({ filter: { state: 'CANCELED' } })).toEqual(newest(4));
    const time = { since: '2026-01-03T00:00:00.000Z', until: '2026-01-06T00:00:00+00:00' };
    expect(await idsOf({ filter: time })).toEqual(newest(4, 3, 2));
    expect(await idsOf({ filter: { ...time, voiceId: otherVoiceId } })).toEqual(newest(3));
    for (const unknown of ['nonsense', 'voi_\u0000']) {
      expect(await idsOf({ filter: { voiceId: unknown } })).toEqual([]);
    }
  });

  test.each([
    ['a negative page', { first: -1 }],
    ['a page of more than a hundred', { first: 101 }],
    ['a cursor that is none', { after: 'xyz' }],
    ['a cursor of another list', { after: Buffer.from('[17,"x"]').toString('base64url') }],
    ['a time that is none', { filter: { since: 'yesterday' } }],
    ['a time before there were any', { filter: { since: '0001-01-01T00:00:00+23:59' } }],
    ['a time after all that can be written', { filter: { until: '9999-12-31T23:59:59-23:59' } }],
  ])('refuses %s', async (_, args) => {
    const { errors } = await person.raw(
      `query ($who: [_Any!]!, $first: Int! = 20, $after: String, $filter: GenerationFilter) {
        _entities(representations: $who) {
          ... on User { generations(first: $first, after: $after, filter: $filter) { edges { cursor } } }
        }
      }`,
      { who: [{ __typename: 'User', id: person.id }], ...args },
    );
    expect(errors?.map((error) => error.extensions?.code)).toEqual(['BAD_USER_INPUT']);
  });

  test('reads a page of generations with their texts, chunks and places in a handful of statements', async () => {
    let statements = 0;
    const count = () => {
      statements += 1;
    };
    // Outside of a transaction, each statement takes a connection of the pool.
    tts.pool.on('acquire', count);
    const { data } = await person.raw(
      `query ($who: [_Any!]!) {
        _entities(representations: $who) {
          ... on User {
            generations { edges { node {
              id text progress { queuePosition } chunks { index } alignment { text } voice { id } owner { id }
            } } }
          }
        }
      }`,
      { who: [{ __typename: 'User', id: person.id }] },
    );
    expect(JSON.stringify(data)).toContain('Number 8');
    tts.pool.off('acquire', count);
    // The page, its texts, its places in the queue, chunks; the spoken ones of none.
    expect(statements).toBe(4);
  });
});
