import { and, inArray } from 'drizzle-orm';
import type { DbOrTx } from '../client.ts';
import { generations } from './tables.ts';

/** Those of the ids whose work is not over (QUEUED or RUNNING): their credits must stay held. */
export async function readActiveGenerations(db: DbOrTx, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const rows = await db
    .select({ id: generations.id })
    .from(generations)
    .where(and(inArray(generations.id, [...ids]), inArray(generations.state, ['QUEUED', 'RUNNING'])));
  return new Set(rows.map((row) => row.id));
}
