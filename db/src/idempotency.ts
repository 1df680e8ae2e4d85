import { createHash } from 'node:crypto';
import { and, eq } from 'drizzle-orm';
import { jsonb, type PgSchema, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import type { z } from 'zod';
import type { DbOrTx, Tx } from './client.ts';

/** The table `idempotency_keys` of a domain's schema. */
export function idempotencyTable(schema: PgSchema) {
  return schema.table(
    'idempotency_keys',
    {
      userId: text().notNull(),
      /** The mutation's name. */
      operation: text().notNull(),
      key: text().notNull(),
      inputHash: text().notNull(),
      result: jsonb().$type<unknown>(),
      createdAt: timestamp({ withTimezone: true, precision: 3 }).notNull().defaultNow(),
    },
    (t) => [primaryKey({ columns: [t.userId, t.operation, t.key] })],
  );
}

export type IdempotencyTable = ReturnType<typeof idempotencyTable>;

export interface IdempotentCall<T> {
  userId: string;
  operation: string;
  key: string;
  /** Everything the outcome depends on; compared by a hash in which the order of fields does not count. */
  input: unknown;
  /** What is remembered and given again, usually the ids that were made. Must survive JSON. */
  result: z.ZodType<T>;
}

export type Idempotent<T> = { kind: 'done'; replayed: boolean; result: T } | { kind: 'conflict' };

/** What `run` answers: an outcome that is not to be remembered (a refusal) leaves the key unused. */
export interface Outcome<T> {
  result: T;
  remember: boolean;
}

/**
 * Runs `run` once per (user, operation, key), in the caller's transaction: the key is taken if and only if the
 * transaction commits. A second call with the same input gets the first one's result; with another input, a conflict.
 * Calls at the same time wait for each other on the key's row, so that exactly one runs. Needs READ COMMITTED (the
 * default), in which a statement sees what the transaction it waited for has committed.
 */
export async function withIdempotency<T>(
  tx: Tx,
  table: IdempotencyTable,
  { userId, operation, key, input, result: schema }: IdempotentCall<T>,
  run: () => Promise<Outcome<T>>,
): Promise<Idempotent<T>> {
  const inputHash = createHash('sha256').update(canonicalJson(input)).digest('hex');
  const id = and(eq(table.userId, userId), eq(table.operation, operation), eq(table.key, key));
  for (;;) {
    const taken = await tx
      .insert(table)
      .values({ userId, operation, key, inputHash })
      .onConflictDoNothing()
      .returning({ key: table.key });
    if (taken.length > 0) break;
    const [earlier] = await tx.select().from(table).where(id);
    if (earlier === undefined) continue; // given back between the two statements
    if (earlier.inputHash !== inputHash) return { kind: 'conflict' };
    return { kind: 'done', replayed: true, result: schema.parse(earlier.result) };
  }
  const { result, remember } = await run();
  await (remember ? tx.update(table).set({ result }).where(id) : tx.delete(table).where(id));
  return { kind: 'done', replayed: false, result };
}

/** What the key has led to before, whatever its input was; null where it is unused. */
export async function readIdempotent<T>(
  db: DbOrTx,
  table: IdempotencyTable,
  { userId, operation, key, result: schema }: Omit<IdempotentCall<T>, 'input'>,
): Promise<T | null> {
  const [row] = await db
    .select({ result: table.result })
    .from(table)
    .where(and(eq(table.userId, userId), eq(table.operation, operation), eq(table.key, key)));
  return row === undefined ? null : schema.parse(row.result);
}

/** JSON with sorted keys, in which an absent field and an undefined one are the same. */
function canonicalJson(value: unknown): string {
  const json = JSON.stringify(value, (_key, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
  return json ?? 'null';
}
