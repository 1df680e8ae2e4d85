import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { preparedRead } from './prepared.ts';
import { createTestDatabase, type TestDatabase } from './testing/test-database.ts';
import { voices } from './voices/tables.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ max: 1 });
});
afterAll(() => database.drop());

const ODD = ['plain', '', 'a,b', 'a "quote"', 'a \\ backslash', '{}', 'NULL', 'ünï ✓'];
const voice = {
  id: 'voi_1',
  ownerId: 'usr_1',
  kind: 'CLONED_INSTANT' as const,
  status: 'PROCESSING' as const,
  name: 'a "name" \\ of ✓',
  languages: ODD,
  labels: [{ key: 'a', value: 'b' }],
  fitting: 0.5,
  createdAt: new Date('2026-01-02T03:04:05.678Z'),
};

const byName = preparedRead('test_by_name', (db, among) => db.select().from(voices).where(among(voices.name, 'names')));
const lists = preparedRead('test_lists', (db) =>
  db
    .select({ list: sql<string[]>`${sql.placeholder('list')}::text[]`, missing: sql`${sql.placeholder('none')}::text` })
    .from(voices),
);
const numbers = preparedRead('test_numbers', (db) =>
  db
    .select({ number: sql<number>`${sql.placeholder('number')}::int` })
    .from(voices)
    .where(eq(voices.id, 'voi_1')),
);

test('every kind of column comes as it went, the first time and later', async () => {
  await database.db.insert(voices).values(voice);
  const [unprepared] = await database.db.select().from(voices);
  expect(unprepared).toMatchObject(voice);
  for (const time of [1, 2, 3]) {
    expect(await byName(database.db, { names: [voice.name] }), `${time}`).toEqual([unprepared]);
    expect(await byName(database.db, { names: ['other', voice.name] }), `${time}`).toEqual([unprepared]);
    expect(await byName(database.db, { names: ['other', 'another'] }), `${time}`).toEqual([]);
  }
});

test('lists go as they are, whatever is in them', async () => {
  for (const list of [ODD, [], ODD.toReversed()]) {
    expect(await lists(database.db, { list, none: null })).toEqual([{ list, missing: null }]);
  }
});

test('what PostgreSQL refuses rejects, and what is asked next is answered', async () => {
  const refused = { cause: { code: '22P02' } };
  await expect(numbers(database.db, { number: 'one' })).rejects.toMatchObject(refused);
  expect(await numbers(database.db, { number: 1 })).toEqual([{ number: 1 }]);
  await expect(numbers(database.db, { number: 'two' })).rejects.toMatchObject(refused);
  const three = [1, 'x', 3].map((number) => numbers(database.db, { number }));
  expect((await Promise.allSettled(three)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

test('in a transaction, too, which one that is refused ends', async () => {
  const failed = database.db.transaction(async (tx) => {
    expect(await numbers(tx, { number: 4 })).toEqual([{ number: 4 }]);
    await tx.update(voices).set({ name: 'changed' });
    await numbers(tx, { number: 'x' });
  });
  await expect(failed).rejects.toMatchObject({ cause: { code: '22P02' } });
  expect(await byName(database.db, { names: [voice.name] })).toHaveLength(1);
});

test('a statement whose columns have changed is refused, as one that is described each time is', async () => {
  const all = preparedRead('test_all', (db) => db.select({ fitting: voices.fitting }).from(voices));
  expect(await all(database.db, {})).toEqual([{ fitting: 0.5 }]);
  await database.db.execute(sql`alter table voices.voices alter column fitting type text`);
  await expect(all(database.db, {})).rejects.toMatchObject({ cause: { code: '0A000' } });
});

test('a new connection begins anew', async () => {
  await database.pool.query('select pg_terminate_backend(pg_backend_pid())').catch(() => undefined);
  expect(await numbers(database.db, { number: 5 })).toEqual([{ number: 5 }]);
});
