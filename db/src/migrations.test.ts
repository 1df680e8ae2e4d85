import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { z } from 'zod';
import * as schema from './schema.ts';

const journal = z.object({ entries: z.array(z.object({ idx: z.number() })) });
const snapshotOf = (index: number) => `${String(index).padStart(4, '0')}_snapshot.json`;
const read = async (file: string): Promise<unknown> =>
  JSON.parse(await readFile(new URL(`../migrations/meta/${file}`, import.meta.url), 'utf8'));

test('the migrations make the tables that the code describes', async () => {
  const { generateDrizzleJson, generateMigration } = await import('drizzle-kit/api');
  const { entries } = journal.parse(await read('_journal.json'));
  const last = await read(snapshotOf(entries.at(-1)?.idx ?? 0));
  const described = generateDrizzleJson(schema, undefined, undefined, 'snake_case');
  // drizzle-kit's own type for what it has written itself.
  const statements = await generateMigration({ ...described, ...z.record(z.string(), z.any()).parse(last) }, described);
  expect(statements, 'run npm run -w db generate').toEqual([]);
});
