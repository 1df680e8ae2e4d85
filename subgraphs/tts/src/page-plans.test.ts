import { createTestDatabase, type TestDatabase } from '@timbre/db/testing/test-database';
import { preparedPlan } from '@timbre/db/testing/prepared-plan';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readGenerationPage } from './repos/generation-pages.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ max: 1 });
  const { db } = database;
  await db.execute(sql`
    insert into tts.renderings (id, owner_id, content_hash)
    select 'rnd_' || n, 'usr_' || n % 100, 'hash_' || n from generate_series(1, 4000) n`);
  await db.execute(sql`
    insert into tts.generations (id, owner_id, rendering_id, voice_id, voice_revision, model_id, format, speed, text,
      characters, micro_credits_per_character, state, chunks_total)
    select 'gen_' || lpad(n::text, 6, '0'), 'usr_' || n % 100, 'rnd_' || n, 'voi_' || n, 1, 'm', 'WAV_44100', 1, 'x',
      1, 1, 'QUEUED', 1 from generate_series(1, 4000) n`);
  await db.execute(sql`analyze`);
});
afterAll(() => database.drop());

const everything = { state: null, voiceId: null, since: null, until: null };

test.each([
  ['tts_page', null],
  ['tts_page_after', 'gen_003000'],
])('%s reads the rows that it shows, of one owner and in their order', async (name, afterId) => {
  const rows = await readGenerationPage(database.db, 'usr_7', everything, { limit: 3, afterId });
  expect(rows.map(({ id }) => id)).toEqual(
    (afterId === null ? [3907, 3807, 3707] : [2907, 2807, 2707]).map((n) => `gen_00${n}`),
  );
  const plan = await preparedPlan(database.pool, name);
  expect(plan).toMatch(/Index Scan Backward using generations_owner /);
  expect(plan).not.toMatch(/Sort|Seq Scan/);
});
