import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError, httpStatusOf, isAppError } from '@timbre/platform/errors';
import { readBody, sendJson } from '@timbre/platform/http-body';
import type { HttpHandler } from '@timbre/platform/http-server';
import { REQUEST_ID_HEADER } from '@timbre/platform/identity';
import type { Logger } from '@timbre/platform/logger';
import { requestIdFrom } from '@timbre/platform/request-id';
import type { UsersClient } from './users-client.ts';
import type { VerifyLogoutToken } from './verify-logout-token.ts';

/** Where issuers tell of sessions that have ended (OpenID Connect Back-Channel Logout 1.0, section 2.5). */
export const LOGOUT_URL_PATH = '/auth/backchannel-logout';

export interface LogoutHandlerOptions {
  verify: VerifyLogoutToken;
  users: Pick<UsersClient, 'logOut'>;
  log: Logger;
}

const MAX_BYTES = 32 * 1024;

/** Answers 200 when the end of the session is recorded; 400 for what is no logout token, and for one that was seen before. */
export function createLogoutHandler({ verify, users, log }: LogoutHandlerOptions): HttpHandler {
  async function logOut(req: IncomingMessage, requestId: string): Promise<void> {
    if (req.method !== 'POST') throw new AppError('METHOD_NOT_ALLOWED', 'Logout tokens are POSTed.');
    const logout = await verify(await logoutTokenOf(req));
    const { replayed } = await users.logOut(logout, requestId);
    if (replayed) throw new AppError('BAD_REQUEST', 'The logout token was received before.');
    log.info({ issuer: logout.iss, subject: logout.sub, session: logout.sid, requestId }, 'signed out by the issuer');
  }

  return async (req: IncomingMessage, res: ServerResponse) => {
    const requestId = requestIdFrom(req.headers[REQUEST_ID_HEADER]);
    const headers = { 'cache-control': 'no-store', [REQUEST_ID_HEADER]: requestId };
    try {
      await logOut(req, requestId);
      res.writeHead(200, { ...headers, 'content-length': 0 }).end();
    } catch (error) {
      if (!isAppError(error)) throw error;
      const { code, message } = error;
      const status = code === 'UNAUTHENTICATED' ? 400 : httpStatusOf(code);
      sendJson(
        res,
        status,
        { error: status < 500 ? 'invalid_request' : 'temporarily_unavailable', error_description: message },
        headers,
      );
    }
  };
}

async function logoutTokenOf(req: IncomingMessage): Promise<string> {
  const type = (req.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded') {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the logout token as application/x-www-form-urlencoded.');
  }
  const form = new URLSearchParams((await readBody(req, MAX_BYTES)).toString('utf8'));
  const [token, ...others] = form.getAll('logout_token');
  if (token === undefined || others.length > 0) throw new AppError('BAD_REQUEST', 'Send one logout_token.');
  return token;
}
