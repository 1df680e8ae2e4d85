import type { DbOrTx } from '@timbre/db/client';
import { preparedRead } from '@timbre/db/prepared';
import { users } from '@timbre/db/users/tables';
import { and, eq, sql } from 'drizzle-orm';
import type { UserRow } from '../rows.ts';

const usersOf = preparedRead('users', (db, among) => db.select().from(users).where(among(users.id, 'ids')));

const usersOfSubject = preparedRead('users_of_subject', (db) =>
  db
    .select()
    .from(users)
    .where(and(eq(users.issuer, sql.placeholder('issuer')), eq(users.subject, sql.placeholder('subject')))),
);

/** In the order of the ids. */
export async function findUsers(db: DbOrTx, ids: readonly string[]): Promise<(UserRow | null)[]> {
  const rows = await usersOf(db, { ids });
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id) ?? null);
}

export async function findBySubject(db: DbOrTx, issuer: string, subject: string): Promise<UserRow | null> {
  const [row] = await usersOfSubject(db, { issuer, subject });
  return row ?? null;
}

export type NewUser = Pick<UserRow, 'id' | 'issuer' | 'subject' | 'email'>;

/** Inserts the subject, or brings the e-mail of the one that is there up to date; a null e-mail says nothing. */
export async function upsertSubject(db: DbOrTx, user: NewUser): Promise<UserRow> {
  const [row] = await db
    .insert(users)
    .values(user)
    .onConflictDoUpdate({
      target: [users.issuer, users.subject],
      set: { email: sql`coalesce(excluded.email, ${users.email})`, updatedAt: sql`now()` },
    })
    .returning();
  if (row === undefined) throw new Error('an upsert returned nothing');
  return row;
}

export async function updateDisplayName(db: DbOrTx, id: string, displayName: string | null): Promise<UserRow | null> {
  const [row] = await db
    .update(users)
    .set({ displayName, updatedAt: sql`now()` })
    .where(eq(users.id, id))
    .returning();
  return row ?? null;
}

/** The time of the first block stays. */
export async function setBlocked(db: DbOrTx, id: string, blocked: boolean): Promise<UserRow | null> {
  const [row] = await db
    .update(users)
    .set({ blockedAt: blocked ? sql`coalesce(${users.blockedAt}, now())` : null, updatedAt: sql`now()` })
    .where(eq(users.id, id))
    .returning();
  return row ?? null;
}
