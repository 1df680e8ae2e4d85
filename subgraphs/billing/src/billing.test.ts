import { commitTotal, grant, hold, settle } from '@timbre/db/ledger';
import { accounts, holds } from '@timbre/db/billing/tables';
import { createIdentitySigner, IDENTITY_HEADER } from '@timbre/platform/identity';
import { newId } from '@timbre/platform/ids';
import { signedIdentity } from '@timbre/platform/testing/caller';
import { eq, sql } from 'drizzle-orm';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestBilling, type TestBilling } from './testing/test-billing.ts';

let billing: TestBilling;
beforeAll(async () => {
  billing = await startTestBilling();
});
afterAll(() => billing.close());

async function post(body: unknown, token?: string): Promise<Response> {
  return fetch(`${billing.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token === undefined ? {} : { [IDENTITY_HEADER]: token }) },
    body: JSON.stringify(body),
  });
}
const ask = async (userId: string | null, query: string, variables: Record<string, unknown> = {}): Promise<unknown> =>
  (await post({ query, variables }, signedIdentity(userId))).json();

const QUOTA = 'limit used held available resetsAt overageAllowed';
const entities = (userId: string | null, type: string, ids: string[], fields: string) =>
  ask(userId, `query($r: [_Any!]!) { _entities(representations: $r) { ... on ${type} { ${fields} } } }`, {
    r: ids.map((id) => ({ __typename: type, id })),
  });

/** A hold and, optionally, what became of it; publishes nothing. */
async function spend(userId: string, credits: number, { committed = 0, settled = false, ttlSeconds = 600 } = {}) {
  const generationId = newId('gen');
  await billing.database.db.transaction(async (tx) => {
    await hold(tx, { userId, generationId, credits, ttlSeconds });
    await commitTotal(tx, { generationId, totalCredits: committed });
    if (settled) await settle(tx, { generationId });
  });
  return generationId;
}

describe('plans', () => {
  test('are open to everyone, with what each allows', async () => {
    const answer = await ask(
      null,
      '{ plans { id tier monthlyCredits voiceSlots concurrency maxCharacters formats price { amountMinor currency } } }',
    );
    expect(answer).toMatchObject({
      data: {
        plans: [
          {
            id: 'plan_free',
            tier: 'FREE',
            monthlyCredits: 10_000,
            voiceSlots: 3,
            concurrency: 2,
            maxCharacters: 5000,
            formats: ['MP3_44100_128', 'MP3_22050_64', 'OGG_VORBIS_44100', 'WAV_44100'],
            price: { amountMinor: 0, currency: 'USD' },
          },
          { id: 'plan_basic', tier: 'BASIC', price: { amountMinor: 500 } },
          { id: 'plan_premium', tier: 'PREMIUM', price: { amountMinor: 2200 } },
          { id: 'plan_enterprise', tier: 'ENTERPRISE', price: { amountMinor: 33_000 } },
        ],
      },
    });
  });

  test('are entities; one that does not exist is null', async () => {
    const answer = await entities(null, 'Plan', ['plan_basic', 'plan_gold'], 'tier');
    expect(answer).toEqual({ data: { _entities: [{ tier: 'BASIC' }, null] } });
  });
});

describe('a user', () => {
  test('is told of plan and quota by one read', async () => {
    const userId = newId('usr');
    await billing.database.db.transaction((tx) => grant(tx, { userId, planId: 'plan_basic' }));
    let reads = 0;
    const count = () => void reads++;
    billing.database.pool.on('acquire', count);
    for (let time = 0; time < 10; time++) {
      await entities(userId, 'User', [userId], `plan { tier } quota { ${QUOTA} }`);
    }
    billing.database.pool.off('acquire', count);
    // The reaper may take a connection meanwhile; ten more it never takes.
    expect(reads).toBeLessThan(15);
  });

  test('sees their own plan and quota', async () => {
    const userId = newId('usr');
    await billing.database.db.transaction((tx) => grant(tx, { userId, planId: 'plan_basic', credits: 50 }));
    await spend(userId, 1000, { committed: 300 });
    const now = new Date();
    expect(await entities(userId, 'User', [userId], `plan { tier } quota { ${QUOTA} }`)).toEqual({
      data: {
        _entities: [
          {
            plan: { tier: 'BASIC' },
            quota: {
              limit: 100_050,
              used: 300,
              held: 700,
              available: 99_050,
              resetsAt: new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1)).toISOString(),
              overageAllowed: false,
            },
          },
        ],
      },
    });
  });

  test('is on Free before billing ever heard of them, and looking makes no account', async () => {
    const userId = newId('usr');
    expect(await entities(userId, 'User', [userId], 'plan { id } quota { available }')).toEqual({
      data: { _entities: [{ plan: { id: 'plan_free' }, quota: { available: 10_000 } }] },
    });
    expect(await billing.database.db.select().from(accounts).where(eq(accounts.userId, userId))).toEqual([]);
  });

  test('sees nothing of anybody else, and the anonymous see nothing at all', async () => {
    const [userId, stranger] = [newId('usr'), newId('usr')];
    await spend(userId, 10);
    const nothing = { data: { _entities: [{ id: userId, plan: null, quota: null }] } };
    expect(await entities(stranger, 'User', [userId], 'id plan { id } quota { used }')).toEqual(nothing);
    expect(await entities(null, 'User', [userId], 'id plan { id } quota { used }')).toEqual(nothing);
  });
});

describe('a charge', () => {
  const RECEIPT = 'charge { state reserved committed released }';

  test('is the receipt of one of the viewer’s own generations', async () => {
    const userId = newId('usr');
    const ids = [
      await spend(userId, 100),
      await spend(userId, 100, { committed: 60, settled: true }),
      await spend(userId, 100, { settled: true }),
      newId('gen'),
    ];
    const charges = [
      { charge: { state: 'HELD', reserved: 100, committed: 0, released: 0 } },
      { charge: { state: 'COMMITTED', reserved: 100, committed: 60, released: 40 } },
      { charge: { state: 'RELEASED', reserved: 100, committed: 0, released: 100 } },
      { charge: null },
    ];
    expect(await entities(userId, 'Generation', ids, RECEIPT)).toEqual({ data: { _entities: charges } });
    const hidden = { data: { _entities: ids.map(() => ({ charge: null })) } };
    expect(await entities(newId('usr'), 'Generation', ids, RECEIPT)).toEqual(hidden);
    expect(await entities(null, 'Generation', ids, RECEIPT)).toEqual(hidden);
  });

  test('costs one read, however many there are', async () => {
    const userId = newId('usr');
    const ids = await Promise.all(Array.from({ length: 30 }, () => spend(userId, 1)));
    let reads = 0;
    const count = () => void reads++;
    billing.database.pool.on('acquire', count);
    await entities(userId, 'Generation', ids, RECEIPT);
    billing.database.pool.off('acquire', count);
    // The reaper may take a connection meanwhile; thirty reads it never takes.
    expect(reads).toBeLessThan(5);
  });
});

describe('without an identity', () => {
  test.each([
    ['none', undefined],
    [
      'forged',
      createIdentitySigner('some other secret, just as long')({
        userId: newId('usr'),
        roles: [],
        scopes: [],
        plan: null,
        expiresAt: 4_000_000_000,
      }),
    ],
  ])('a request is refused: %s', async (_, token) => {
    const response = await post({ query: '{ plans { id } }' }, token);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
  });

  test.each([
    ['none', {}],
    ['anonymous', { identity: signedIdentity(null) }],
  ])('a subscription is refused: %s', async (_, extensions) => {
    const client = createClient({ url: `${billing.url.replace('http', 'ws')}/graphql` });
    const results = client.iterate({ query: 'subscription { quotaChanged { used } }', extensions });
    // An error of the subscribe rejects; one of the source stream is a result.
    const first = await results.next().then(
      ({ value }) => value,
      (error: unknown) => ({ errors: error }),
    );
    expect(first).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
    await client.dispose();
  });
});

describe('quotaChanged', () => {
  async function subscribe(userId: string) {
    const client = createClient({ url: `${billing.url.replace('http', 'ws')}/graphql` });
    const events = client.iterate({
      query: 'subscription { quotaChanged { limit used held available } }',
      extensions: { identity: signedIdentity(userId) },
    });
    return {
      next: async () => (await events.next()).value,
      async end() {
        await events.return?.();
        await client.dispose();
      },
    };
  }
  const changed = (limit: number, used: number, held: number) => ({
    data: { quotaChanged: { limit, used, held, available: limit - used - held } },
  });
  const hint = (userId: string) => billing.bus.publish(`quota:${userId}`, '');

  test('emits what is, then every change, and nothing that is none', async () => {
    const [userId, stranger] = [newId('usr'), newId('usr')];
    const events = await subscribe(userId);
    expect(await events.next()).toEqual(changed(10_000, 0, 0));
    await hint(userId);
    await spend(stranger, 77);
    await hint(stranger);
    const generationId = await spend(userId, 100);
    await hint(userId);
    expect(await events.next()).toEqual(changed(10_000, 0, 100));
    await billing.database.db.transaction((tx) => commitTotal(tx, { generationId, totalCredits: 40 }));
    await hint(userId);
    expect(await events.next()).toEqual(changed(10_000, 40, 60));
    await events.end();
  });

  test('notices a change that nobody published', async () => {
    const userId = newId('usr');
    const events = await subscribe(userId);
    await events.next();
    await spend(userId, 5);
    expect(await events.next()).toEqual(changed(10_000, 0, 5));
    await events.end();
  });
});

test('the reaper gives back what nothing spends any more, and says so', async () => {
  const userId = newId('usr');
  const generationId = await spend(userId, 500, { committed: 100 });
  const told = new Promise<void>((resolve) => void billing.bus.subscribe(`quota:${userId}`, () => resolve()));
  await billing.database.db
    .update(holds)
    .set({ expiresAt: sql`now() - interval '1 second'` })
    .where(eq(holds.generationId, generationId));
  await told;
  expect(await entities(userId, 'Generation', [generationId], 'charge { state committed released }')).toEqual({
    data: { _entities: [{ charge: { state: 'EXPIRED', committed: 100, released: 400 } }] },
  });
});
