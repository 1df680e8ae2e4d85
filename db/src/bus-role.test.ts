import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeBusRole } from './bus-role.ts';
import { createTestDatabase } from './testing/test-database.ts';
import type { TestDatabase } from './testing/test-database.ts';

let database: TestDatabase;
let client: Client;
let url: string;

beforeAll(async () => {
  database = await createTestDatabase();
  url = await makeBusRole(database.url);
  client = new Client({ connectionString: url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

test('may listen and notify', async () => {
  const heard = new Promise((resolve) => {
    client.on('notification', ({ payload }) => resolve(payload));
  });
  await client.query('listen timbre_bus');
  await client.query(`select pg_notify('timbre_bus', 'hello')`);
  expect(await heard).toBe('hello');
});

test.each([
  'select * from users.users',
  'select * from billing.entries',
  'select * from jobs.job',
  'select * from drizzle.__drizzle_migrations',
  'create table public.mine (id int)',
  'create temporary table mine (id int)',
  'create schema mine',
  'create role other',
  'set role timbre',
])('may not %s', async (statement) => {
  await expect(client.query(statement)).rejects.toThrow(/permission denied/);
});

test('is the same when it is made again', async () => {
  expect(await makeBusRole(database.url)).toBe(url);
});
