import type { DbOrTx, Tx } from '@timbre/db/client';
import { apiKeys, users } from '@timbre/db/users/tables';
import { and, count, desc, eq, gt, inArray, isNull, lt, or, sql } from 'drizzle-orm';
import type { ApiKeyRow, UserRow } from '../rows.ts';

/** In the order of the ids; null for what is missing and for other people's. */
export async function findKeys(db: DbOrTx, userId: string, ids: readonly string[]): Promise<(ApiKeyRow | null)[]> {
  const rows = await db
    .select()
    .from(apiKeys)
    .where(and(eq(apiKeys.userId, userId), inArray(apiKeys.id, [...ids])));
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id) ?? null);
}

/** Newest first; ids sort by their time. */
export async function listKeys(db: DbOrTx, userId: string, after: string | null, limit: number): Promise<ApiKeyRow[]> {
  return db
    .select()
    .from(apiKeys)
    .where(and(eq(apiKeys.userId, userId), after === null ? undefined : lt(apiKeys.id, after)))
    .orderBy(desc(apiKeys.id))
    .limit(limit);
}

/** Whoever is about to make a key, or to revoke one, waits for others who do the same for one user. */
const lockKeys = (tx: Tx, userId: string) =>
  tx.select({ id: users.id }).from(users).where(eq(users.id, userId)).for('update');

/** @returns those that still work, and no other is made until the transaction ends */
export async function countKeysToAdd(tx: Tx, userId: string): Promise<number> {
  await lockKeys(tx, userId);
  const [row] = await tx
    .select({ keys: count() })
    .from(apiKeys)
    .where(
      and(
        eq(apiKeys.userId, userId),
        isNull(apiKeys.revokedAt),
        or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, sql`now()`)),
      ),
    );
  return row?.keys ?? 0;
}

export async function insertKey(tx: Tx, key: typeof apiKeys.$inferInsert): Promise<ApiKeyRow> {
  const [row] = await tx.insert(apiKeys).values(key).returning();
  if (row === undefined) throw new Error('an insert returned nothing');
  return row;
}

export interface RevokedKey {
  key: ApiKeyRow;
  /** Those that worked until now: it and what was made with it, and with that. */
  ended: string[];
}

/** Null for what is missing and for other people's. The time of the first revocation stays. */
export async function revokeKey(tx: Tx, userId: string, id: string): Promise<RevokedKey | null> {
  await lockKeys(tx, userId);
  const doomed = sql`
    with recursive doomed as (
      select ${apiKeys.id} from ${apiKeys} where ${apiKeys.id} = ${id} and ${apiKeys.userId} = ${userId}
      union select child.id from ${apiKeys} child join doomed on child.created_by = doomed.id
    ) select id from doomed`;
  const ended = await tx
    .update(apiKeys)
    .set({ revokedAt: sql`now()` })
    .where(and(isNull(apiKeys.revokedAt), sql`${apiKeys.id} in (${doomed})`))
    .returning({ id: apiKeys.id });
  const [key = null] = await findKeys(tx, userId, [id]);
  return key === null ? null : { key, ended: ended.map((row) => row.id) };
}

export async function findKeyAndOwner(db: DbOrTx, id: string): Promise<{ key: ApiKeyRow; owner: UserRow } | null> {
  const [row] = await db
    .select({ key: apiKeys, owner: users })
    .from(apiKeys)
    .innerJoin(users, eq(users.id, apiKeys.userId))
    .where(eq(apiKeys.id, id));
  return row ?? null;
}

export async function noteUse(db: DbOrTx, id: string): Promise<void> {
  await db
    .update(apiKeys)
    .set({ lastUsedAt: sql`now()` })
    .where(eq(apiKeys.id, id));
}
