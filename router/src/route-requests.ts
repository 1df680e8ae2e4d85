import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '@timbre/platform/errors';
import { sendJson } from '@timbre/platform/http-body';
import type { HttpHandler } from '@timbre/platform/http-server';
import { isMediaPath } from '@timbre/platform/storage/media-handler';
import { LOGOUT_URL_PATH } from './auth/logout-handler.ts';

export const GRAPHQL_PATH = '/graphql';
const INVALIDATION_PATH = '/cache/invalidate';

export interface RouteHandlers {
  graphql: HttpHandler;
  media: HttpHandler | null;
  logOut: HttpHandler | null;
  /** For this machine only. */
  usage: HttpHandler;
  invalidate: HttpHandler | null;
}

/** A handler that hands on by path; `ready`, as `/health` says it. @throws AppError NOT_FOUND */
export function routeRequests(
  { graphql, media, logOut, usage, invalidate }: RouteHandlers,
  { headers, ready }: { headers: Readonly<Record<string, string>>; ready: () => boolean },
): HttpHandler {
  return (req: IncomingMessage, res: ServerResponse) => {
    const path = pathOf(req);
    if (path === GRAPHQL_PATH || path === '/') return graphql(req, res);
    if (path === '/health' && (req.method === 'GET' || req.method === 'HEAD')) {
      return ready()
        ? sendJson(res, 200, { status: 'ready' }, headers)
        : sendJson(res, 503, { status: 'draining' }, headers);
    }
    if (media !== null && isMediaPath(path)) return media(req, res);
    if (logOut !== null && path === LOGOUT_URL_PATH) return logOut(req, res);
    if (invalidate !== null && path === INVALIDATION_PATH) return invalidate(req, res);
    if (path === '/usage' && isOfThisMachine(req)) return usage(req, res);
    throw new AppError('NOT_FOUND', `There is nothing here; the graph is at ${GRAPHQL_PATH}.`);
  };
}

/** Without the query. */
export function pathOf(req: IncomingMessage): string {
  return (req.url ?? '/').split('?', 1)[0] ?? '/';
}

/** What proxies add, of which one may stand on this machine and pass on what comes from anywhere. */
const FORWARDING_HEADERS = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'] as const;

/** Whether it comes from this machine, and from nobody beyond it through a proxy. */
export function isOfThisMachine({ socket, headers }: IncomingMessage): boolean {
  const address = socket.remoteAddress ?? '';
  const isLoopback = address === '::1' || /^(?:::ffff:)?127\./.test(address);
  return isLoopback && FORWARDING_HEADERS.every((name) => headers[name] === undefined);
}
