import { sql, type AnyColumn, type SQL } from 'drizzle-orm';
import type { DbOrTx } from './client.ts';

interface Preparable<Rows> {
  prepare(name: string): { execute(values: Record<string, unknown>): Promise<Rows> };
}

/**
 * A read that is asked again and again: drizzle writes its SQL once, and each connection has PostgreSQL parse it once. What
 * differs from time to time are placeholders. (Writing a statement costs the process that asks more than its answer does, and
 * parsing it PostgreSQL more than finding a few rows.)
 *
 * @param name unique among the prepared reads; PostgreSQL knows the statement by it
 */
export function preparedRead<Rows>(
  name: string,
  build: (db: DbOrTx) => Preparable<Rows>,
): (db: DbOrTx, values: Record<string, unknown>) => Promise<Rows> {
  const built = new WeakMap<DbOrTx, ReturnType<Preparable<Rows>['prepare']>>();
  return (db, values) => {
    let read = built.get(db);
    if (read === undefined) {
      read = build(db).prepare(name);
      built.set(db, read);
    }
    return read.execute(values);
  };
}

/** `column in (…)` with the list in one placeholder, so that its length does not change the statement. */
export function inPlaceholder(column: AnyColumn, name: string): SQL {
  return sql`${column} = any(${sql.placeholder(name)})`;
}
