import type { Db } from '@timbre/db/client';
import { AppError } from '@timbre/platform/errors';
import { readJson, sendJson } from '@timbre/platform/http-body';
import { IDENTITY_HEADER, type IdentityVerifier, SERVICE_ROLE } from '@timbre/platform/identity';
import { PRINCIPAL_PATH, principalRequestSchema } from '@timbre/platform/principal';
import type { Route } from '@timbre/platform/subgraph-server';
import { resolvePrincipal } from '../services/resolve-principal.ts';

const MAX_BYTES = 16 * 1024;

/** `POST /internal/principal`: for the router alone, which signs its calls with the role `service`. */
export function principalRoute(db: Db, verifyIdentity: IdentityVerifier): Route {
  return {
    method: 'POST',
    path: PRINCIPAL_PATH,
    async handle(req, res) {
      const token = req.headers[IDENTITY_HEADER];
      const { roles } = verifyIdentity(typeof token === 'string' ? token : undefined);
      if (!roles.includes(SERVICE_ROLE)) throw new AppError('FORBIDDEN', 'Only the router may ask for a principal.');
      const request = principalRequestSchema.safeParse(await readJson(req, MAX_BYTES));
      if (!request.success) {
        const details = { problems: request.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) };
        throw new AppError('BAD_REQUEST', 'Send iss, sub and, if known, email.', { details });
      }
      sendJson(res, 200, await resolvePrincipal(db, request.data));
    },
  };
}
