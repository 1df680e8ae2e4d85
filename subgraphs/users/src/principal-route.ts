import { readPlans } from '@timbre/db/billing/read-entitlements';
import type { Db } from '@timbre/db/client';
import { AppError } from '@timbre/platform/errors';
import { readJson, sendJson } from '@timbre/platform/http-body';
import { IDENTITY_HEADER, SERVICE_ROLE, type IdentityVerifier } from '@timbre/platform/identity';
import { PRINCIPAL_PATH, principalRequestSchema, type Principal } from '@timbre/platform/principal';
import type { Route } from '@timbre/platform/subgraph-server';
import { findOrCreateUser } from './repos/users.ts';

const MAX_BODY_BYTES = 16 * 1024;

/** Resolves the subject of a verified token to a user, for the router alone. */
export function principalRoute(db: Db, verifyIdentity: IdentityVerifier): Route {
  return {
    method: 'POST',
    path: PRINCIPAL_PATH,
    async handle(req, res) {
      const token = req.headers[IDENTITY_HEADER];
      const { roles } = verifyIdentity(typeof token === 'string' ? token : undefined);
      if (!roles.includes(SERVICE_ROLE)) throw new AppError('FORBIDDEN', 'This is for the router alone.');
      const request = principalRequestSchema.safeParse(await readJson(req, MAX_BODY_BYTES));
      if (!request.success) throw new AppError('BAD_USER_INPUT', 'The body must be {iss, sub, email?}.');
      const { iss, sub, email = null } = request.data;
      const user = await findOrCreateUser(db, { issuer: iss, subject: sub, email });
      const [plan] = await readPlans(db, [user.id]);
      const principal: Principal = {
        userId: user.id,
        role: user.role,
        plan: plan?.id ?? null,
        blocked: user.blockedAt !== null,
      };
      sendJson(res, 200, principal);
    },
  };
}
