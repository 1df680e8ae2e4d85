import { createTestDatabase, type TestDatabase } from '@timbre/db/testing/test-database';
import { preparedPlan } from '@timbre/db/testing/prepared-plan';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { VoiceScope } from './repos/voice-scope.ts';
import { countVoices, listVoices } from './repos/voices.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ max: 1 });
  // One in forty is the library's.
  await database.db.execute(sql`
    insert into voices.voices (id, owner_id, kind, status, name, created_at)
    select 'voi_' || n, case when n % 40 = 0 then null else 'usr_' || n % 100 end,
      case when n % 40 = 0 then 'PREMADE' else 'CLONED_INSTANT' end, 'PROCESSING', 'x', to_timestamp(n)
    from generate_series(1, 4000) n`);
  await database.db.execute(sql`analyze`);
});
afterAll(() => database.drop());

const own: VoiceScope = { visibility: { of: 'owner', viewerId: 'usr_7' }, filter: {} };
const library: VoiceScope = { visibility: { of: 'library' }, filter: {} };

test.each([
  ['voices_page_owner', 'voices_by_owner', own, [3907, 3807]],
  ['voices_page_library', 'voices_library', library, [4000, 3960]],
] as const)('%s reads the rows that it shows, in their order', async (name, index, scope, newest) => {
  const [first, second] = await listVoices(database.db, scope, null, 2);
  expect([first?.id, second?.id]).toEqual(newest.map((n) => `voi_${n}`));
  const createdAt = first?.createdAt ?? new Date();
  await listVoices(database.db, scope, { createdAt, id: first?.id ?? '' }, 2);
  for (const page of [name, `${name}_behind`]) {
    const plan = await preparedPlan(database.pool, page);
    expect(plan).toMatch(new RegExp(`Index Scan Backward using ${index} `));
    expect(plan).not.toMatch(/Sort|Seq Scan/);
  }
});

test('counting looks at the owner’s rows only', async () => {
  expect(await countVoices(database.db, own)).toBe(40);
  expect(await preparedPlan(database.pool, 'voices_count_owner')).toMatch(/Scan (using|on) voices_by_owner /);
});
