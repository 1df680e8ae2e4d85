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

/** Whoever is about to make a key waits for whoever makes another of the same user. @returns those that still work */
export async function countKeysToAdd(tx: Tx, userId: string): Promise<number> {
  await tx.select({ id: users.id }).from(users).where(eq(users.id, userId)).for('update');
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

/** Null for what is missing and for other people's. The time of the first revocation stays. */
export async function revokeKey(db: DbOrTx, userId: string, id: string): Promise<ApiKeyRow | null> {
  const [row] = await db
    .update(apiKeys)
    .set({ revokedAt: sql`coalesce(${apiKeys.revokedAt}, now())` })
    .where(and(eq(apiKeys.userId, userId), eq(apiKeys.id, id)))
    .returning();
  return row ?? null;
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
