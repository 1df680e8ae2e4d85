import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { watchPool, watchQueues } from './database-metrics.ts';
import { createJobs } from './jobs.ts';
import { silentLog } from './log.ts';
import { createTestDatabase, type TestDatabase } from './testing/test-database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ max: 1 });
});
afterAll(() => database.drop());

test('who waits for a connection is counted', async () => {
  const registry = new Registry();
  watchPool(registry, database.pool);
  const held = await database.pool.connect();
  const waiting = [1, 2].map(() => database.pool.query('select 1'));
  const busy = await registry.metrics();
  held.release();
  await Promise.all(waiting);
  expect(busy).toContain('timbre_db_pool_waiting 2');
  expect(busy).toContain('timbre_db_pool_connections{state="busy"} 1');
  const idle = await registry.metrics();
  expect(idle).toContain('timbre_db_pool_waiting 0');
  expect(idle).toContain('timbre_db_pool_connections{state="busy"} 0');
});

test('what waits in a queue is counted, and what its worker does', async () => {
  const registry = new Registry();
  const jobs = createJobs({ url: database.url, log: silentLog });
  watchQueues(registry, jobs);
  await jobs.start();
  for (const voiceId of ['a', 'b', 'c']) {
    await database.db.transaction((tx) => jobs.enqueue(tx, 'voices.fit', { voiceId }));
  }
  const sample = async (state: string) =>
    new RegExp(`timbre_jobs\\{queue="voices.fit",state="${state}"\\} (\\d+)`).exec(await registry.metrics())?.[1];
  await expect.poll(() => sample('ready')).toBe('3');
  const done = Promise.withResolvers<void>();
  await jobs.work('voices.fit', {}, () => done.promise);
  await expect.poll(async () => [await sample('ready'), await sample('active')]).toEqual(['2', '1']);
  done.resolve();
  await expect.poll(async () => [await sample('ready'), await sample('active')]).toEqual(['0', '0']);
  await jobs.stop({ graceMs: 1_000 });
});
