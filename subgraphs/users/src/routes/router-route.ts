import { AppError } from '@timbre/platform/errors';
import { readJson, sendJson } from '@timbre/platform/http-body';
import { IDENTITY_HEADER, type IdentityVerifier, SERVICE_ROLE } from '@timbre/platform/identity';
import type { Route } from '@timbre/platform/subgraph-server';
import type { z } from 'zod';

const MAX_BYTES = 16 * 1024;

export interface RouterRoute<Request> {
  path: string;
  request: z.ZodType<Request>;
  answer: (request: Request) => Promise<unknown>;
}

/** A `POST` of JSON for the router alone, which signs its calls with the role `service`. */
export function routerRoute<Request>(
  { path, request: schema, answer }: RouterRoute<Request>,
  verifyIdentity: IdentityVerifier,
): Route {
  return {
    method: 'POST',
    path,
    async handle(req, res) {
      const token = req.headers[IDENTITY_HEADER];
      const { roles } = verifyIdentity(typeof token === 'string' ? token : undefined);
      if (!roles.includes(SERVICE_ROLE)) throw new AppError('FORBIDDEN', 'Only the router may ask this.');
      const request = schema.safeParse(await readJson(req, MAX_BYTES));
      if (!request.success) {
        const details = {
          problems: request.error.issues.map(({ path: at, message }) => `${at.join('.')}: ${message}`),
        };
        throw new AppError('BAD_REQUEST', 'The request is not of the expected form.', { details });
      }
      sendJson(res, 200, await answer(request.data));
    },
  };
}
