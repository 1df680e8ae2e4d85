import { readEntitlements } from '@timbre/db/billing/read-entitlements';
import type { Db } from '@timbre/db/client';
import { newId } from '@timbre/platform/ids';
import type { Principal, PrincipalRequest } from '@timbre/platform/principal';
import { isTokenRevoked } from '../repos/revocations.ts';
import { findBySubject, upsertSubject } from '../repos/users.ts';

/**
 * Who a token's subject is here. The first request makes the row, and of several first requests at once one does; the
 * e-mail follows the token's. Usually a single read.
 */
export async function resolvePrincipal(db: Db, request: PrincipalRequest): Promise<Principal> {
  const { iss, sub, email, jti = null, sid = null, iat = null } = request;
  const marks = { issuer: iss, subject: sub, id: jti, session: sid, issuedAt: iat };
  const known = await findBySubject(db, iss, sub);
  const current = known !== null && (email === undefined || email === null || email === known.email);
  const user = current
    ? known
    : await upsertSubject(db, { id: newId('usr'), issuer: iss, subject: sub, email: email ?? null });
  const [{ plan }, revoked] = await Promise.all([readEntitlements(db, user.id), isTokenRevoked(db, marks)]);
  return { userId: user.id, role: user.role, plan: plan.id, blocked: user.blockedAt !== null, revoked };
}
