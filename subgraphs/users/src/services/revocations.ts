import type { Db } from '@timbre/db/client';
import type { Credential } from '@timbre/platform/identity';
import type { LogoutRequest, Revocations } from '@timbre/platform/revocation';
import { addOnce, addRevocation, clock, listRevocations } from '../repos/revocations.ts';
import type { UserRow } from '../rows.ts';
import type { Refusal } from './refusal.ts';

/** Longer than any issuer lets a token live: after that a session has none that could still be used. */
const SESSION_MEMORY_MS = 90 * 24 * 3_600_000;
/** Beyond a token's end, for clocks that differ. */
const LEEWAY_MS = 120_000;
/** What became visible later than its time says; the same may be told twice. */
const OVERLAP_MS = 30_000;
const MOST_AT_ONCE = 5_000;

export interface EndSessionResult {
  endedAt: Date | null;
  errors: Refusal[];
}

/**
 * Ends the session of a token, or the token itself where it belongs to none; `everywhere` every token of the person
 * that was issued by now. Whoever is to hear of it is told by the caller, after it is committed.
 */
export async function endSession(
  db: Db,
  viewer: UserRow,
  credential: Credential | null | undefined,
  everywhere: boolean,
): Promise<EndSessionResult> {
  if (credential?.kind !== 'token') {
    const message = 'This was not sent with a token of a session; a key is ended by revokeApiKey.';
    return { endedAt: null, errors: [{ message, code: 'NO_SESSION', path: [] }] };
  }
  const { issuer, subject } = viewer;
  const endedAt = await clock(db);
  if (everywhere) {
    const issuedUntil = Math.floor(endedAt.getTime() / 1000);
    await addRevocation(db, { kind: 'subject', issuer, value: subject, issuedUntil });
  }
  const { session, id, expiresAt } = credential;
  await addRevocation(
    db,
    session === null
      ? {
          kind: 'token',
          issuer,
          value: id,
          expiresAt: expiresAt === null ? null : new Date(expiresAt * 1000 + LEEWAY_MS),
        }
      : { kind: 'session', issuer, value: session, expiresAt: new Date(Date.now() + SESSION_MEMORY_MS) },
  );
  return { endedAt, errors: [] };
}

/** What an issuer says has ended (OpenID Connect Back-Channel Logout 1.0, section 2.7): the session, or all of the subject. */
export async function recordLogout(db: Db, logout: LogoutRequest): Promise<{ replayed: boolean }> {
  const { iss: issuer, sub, sid, iat, jti, exp } = logout;
  return db.transaction(async (tx) => {
    const isNew = await addOnce(tx, {
      kind: 'logout',
      issuer,
      value: jti,
      expiresAt: new Date(exp * 1000 + LEEWAY_MS),
    });
    if (!isNew) return { replayed: true };
    if (sid !== null) {
      await addRevocation(tx, {
        kind: 'session',
        issuer,
        value: sid,
        expiresAt: new Date(Date.now() + SESSION_MEMORY_MS),
      });
    } else if (sub !== null) {
      await addRevocation(tx, { kind: 'subject', issuer, value: sub, issuedUntil: Math.floor(iat) });
    }
    return { replayed: false };
  });
}

/** For routers, which ask from the time on that they were told of last. */
export async function revocationsSince(db: Db, since: string | null): Promise<Revocations> {
  const now = (await clock(db)).toISOString();
  if (since === null) return { now, revocations: [] };
  const from = new Date(Date.parse(since) - OVERLAP_MS);
  const revocations = await listRevocations(db, from, MOST_AT_ONCE + 1);
  return { now, revocations: revocations.length > MOST_AT_ONCE ? null : revocations };
}
