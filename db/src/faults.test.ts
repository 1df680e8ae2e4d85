import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@timbre/platform/testing/free-port';
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDb, type DbClient } from './client.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded/start.ts';
import { createJobs } from './jobs.ts';
import { silentLog } from './log.ts';
import { migrate } from './migrate.ts';
import { users } from './schema.ts';

let dataDir: string;
let server: EmbeddedPostgres;
let client: DbClient;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'timbre-faults-'));
  server = await startEmbeddedPostgres({ dataDir, port: await freePort(), fsync: false });
  client = createDb(server.url, { max: 4 });
});
afterAll(async () => {
  await client.close();
  await server.stop();
  await rm(dataDir, { recursive: true, force: true });
});

async function killAndRestart(): Promise<void> {
  process.kill(server.pid, 'SIGKILL');
  await server.exited;
  server = await startEmbeddedPostgres({ dataDir, port: server.port, fsync: false });
}

test('eight processes may migrate at once', async () => {
  await Promise.all(Array.from({ length: 8 }, () => migrate(server.url)));
  expect(await client.db.select().from(users)).toEqual([]);
});

test('a pool outlives kill -9 of the server: what was in flight rejects, nothing is lost or left open', async () => {
  const add = (id: string) => client.db.insert(users).values({ id, issuer: 'i', subject: id });
  await add('usr_before');
  for (let round = 0; round < 3; round++) {
    const transactions = Array.from({ length: 4 }, (_, index) =>
      client.db.transaction(async (tx) => {
        await tx.insert(users).values({ id: `usr_${round}_${index}`, issuer: 'i', subject: `${round}.${index}` });
        await tx.execute(sql`select pg_sleep(30)`);
      }),
    );
    const inFlight = Promise.allSettled(transactions);
    await expect
      .poll(async () => {
        const seen = createDb(server.url, { max: 1 });
        const { rows } = await seen.db.execute(
          sql`select 1 from pg_stat_activity where query like '%pg_sleep%' and wait_event = 'PgSleep'`,
        );
        await seen.close();
        return rows;
      })
      .toHaveLength(4);
    await killAndRestart();
    expect((await inFlight).map(({ status }) => status)).toEqual(Array(4).fill('rejected'));
    // As many at once as the pool has connections: none was lost to it.
    await Promise.all(
      Array.from({ length: 8 }, () => client.db.transaction((tx) => tx.execute(sql`select pg_sleep(0.01)`))),
    );
  }
  expect(await client.db.select({ id: users.id }).from(users)).toEqual([{ id: 'usr_before' }]);
  await client.db.delete(users).where(eq(users.id, 'usr_before'));
});

test('a transaction that cannot even begin gives its connection back', async () => {
  const single = createDb(server.url, { max: 1 });
  // @ts-expect-error a level that the server refuses, so that BEGIN is what fails
  const refused = single.db.transaction(async () => {}, { isolationLevel: 'nonsense' });
  await expect(refused).rejects.toThrow('nonsense');
  expect((await single.db.execute(sql`select 1 as one`)).rows).toEqual([{ one: 1 }]);
  await single.close();
});

test('workers go on after kill -9 of the server', async () => {
  await migrate(server.url);
  const jobs = createJobs({ url: server.url, log: silentLog });
  await jobs.start();
  const done: string[] = [];
  let wake = () => {};
  await jobs.work('voices.fit', { concurrency: 2 }, async ({ data }) => {
    done.push(data.voiceId);
    wake();
  });
  const until = async (voiceId: string) => {
    while (!done.includes(voiceId)) await new Promise<void>((resolve) => (wake = resolve));
  };
  const fit = (voiceId: string) => client.db.transaction((tx) => jobs.enqueue(tx, 'voices.fit', { voiceId }));
  await fit('voi_before');
  await until('voi_before');
  await killAndRestart();
  const restarted = performance.now();
  await fit('voi_after');
  await until('voi_after');
  expect(performance.now() - restarted).toBeLessThan(10_000);
  await jobs.stop({ graceMs: 1000 });
});
