import { eq, sql, type AnyColumn, type SQL } from 'drizzle-orm';
import type { DbOrTx } from './client.ts';

interface Preparable<Rows> {
  prepare(name: string): { execute(values: Record<string, unknown>): Promise<Rows> };
}

/** `column in (…)` with a list, of whatever length, in one placeholder. */
export type Among = (column: AnyColumn, placeholder: string) => SQL;

const amongMany: Among = (column, placeholder) => sql`${column} = any(${sql.placeholder(placeholder)})`;
const amongOne: Among = (column, placeholder) => eq(column, sql.placeholder(placeholder));

/**
 * A read that is asked again and again: drizzle writes its SQL once, and each connection has PostgreSQL parse it once. What
 * differs from time to time are placeholders. (Writing a statement costs the process that asks more than its answer does, and
 * parsing it PostgreSQL more than finding a few rows.)
 *
 * Lists of one, which most are, have a statement of their own: for a list PostgreSQL reckons with ten, and where that makes
 * too much of a difference it plans each time anew, which takes longer than finding the row.
 *
 * @param name unique among the prepared reads; PostgreSQL knows the statement by it
 */
export function preparedRead<Rows>(
  name: string,
  build: (db: DbOrTx, among: Among) => Preparable<Rows>,
): (db: DbOrTx, values: Record<string, unknown>) => Promise<Rows> {
  const many = lazily((db) => build(db, amongMany).prepare(name));
  const one = lazily((db) => build(db, amongOne).prepare(`${name}_one`));
  return (db, values) => {
    const single = withOne(values);
    return single === null ? many(db).execute(values) : one(db).execute(single);
  };
}

/** Null where there is a list and it is not of one. */
function withOne(values: Record<string, unknown>): Record<string, unknown> | null {
  let single: Record<string, unknown> | null = null;
  for (const [name, value] of Object.entries(values)) {
    if (!Array.isArray(value)) continue;
    if (value.length !== 1) return null;
    single = { ...(single ?? values), [name]: value[0] };
  }
  return single;
}

function lazily<Statement extends object>(prepare: (db: DbOrTx) => Statement): (db: DbOrTx) => Statement {
  const prepared = new WeakMap<DbOrTx, Statement>();
  return (db) => {
    let statement = prepared.get(db);
    if (statement === undefined) {
      statement = prepare(db);
      prepared.set(db, statement);
    }
    return statement;
  };
}
