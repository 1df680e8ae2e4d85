import type { DbOrTx } from '@timbre/db/client';
import { revocations } from '@timbre/db/users/tables';
import type { Revocation } from '@timbre/platform/revocation';
import { and, eq, gte, ne, or, sql, type SQL } from 'drizzle-orm';

export type NewRevocation = Omit<typeof revocations.$inferInsert, 'at'>;

/** What a token is revoked by. */
export interface TokenMarks {
  issuer: string;
  subject: string;
  id: string | null;
  session: string | null;
  /** Unix seconds; null where the token does not say, and may be older than anything. */
  issuedAt: number | null;
}

export async function isTokenRevoked(
  db: DbOrTx,
  { issuer, subject, id, session, issuedAt }: TokenMarks,
): Promise<boolean> {
  const named = (kind: Revocation['kind'], value: string, ...more: SQL[]) =>
    and(eq(revocations.kind, kind), eq(revocations.value, value), ...more);
  const until = issuedAt === null ? [] : [gte(revocations.issuedUntil, Math.floor(issuedAt))];
  const [row] = await db
    .select({ kind: revocations.kind })
    .from(revocations)
    .where(
      and(
        eq(revocations.issuer, issuer),
        or(
          named('subject', subject, ...until),
          ...(id === null ? [] : [named('token', id)]),
          ...(session === null ? [] : [named('session', session)]),
        ),
      ),
    )
    .limit(1);
  return row !== undefined;
}

/** Also forgets what has no more use. Told again where it is there already, and never for a shorter time. */
export async function addRevocation(db: DbOrTx, revocation: NewRevocation): Promise<void> {
  await db.delete(revocations).where(sql`${revocations.expiresAt} < now()`);
  await db
    .insert(revocations)
    .values(revocation)
    .onConflictDoUpdate({
      target: [revocations.kind, revocations.issuer, revocations.value],
      set: {
        at: sql`clock_timestamp()`,
        issuedUntil: sql`greatest(${revocations.issuedUntil}, excluded.issued_until)`,
        expiresAt: sql`case when excluded.expires_at is null then null else greatest(${revocations.expiresAt}, excluded.expires_at) end`,
      },
    });
}

/** @returns false where it is there already */
export async function addOnce(db: DbOrTx, revocation: NewRevocation): Promise<boolean> {
  const rows = await db.insert(revocations).values(revocation).onConflictDoNothing().returning({ at: revocations.at });
  return rows.length > 0;
}

export async function clock(db: DbOrTx): Promise<Date> {
  const { rows } = await db.execute<{ now: string }>(sql`select clock_timestamp()::text as now`);
  return new Date(rows[0]?.now ?? '');
}

export async function listRevocations(db: DbOrTx, since: Date, limit: number): Promise<Revocation[]> {
  const rows = await db
    .select({ kind: revocations.kind, issuer: revocations.issuer, value: revocations.value })
    .from(revocations)
    .where(and(gte(revocations.at, since), ne(revocations.kind, 'logout')))
    .limit(limit);
  return rows.flatMap(({ kind, ...row }) => (kind === 'logout' ? [] : [{ kind, ...row }]));
}
