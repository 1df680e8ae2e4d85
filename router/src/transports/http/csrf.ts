import type { IncomingMessage } from 'node:http';
import { HttpRefusal } from './http-refusal.ts';
import { parseContentType } from './media-types.ts';

/** Bodies that a browser sends across origins without asking first (fetch.spec.whatwg.org, "CORS-safelisted"). */
const SIMPLE_TYPES = new Set(['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain']);
const PREFLIGHT_HEADERS = ['x-apollo-operation-name', 'apollo-require-preflight'] as const;

/**
 * Refuses what a foreign page could make a browser send without a preflight, by Apollo's convention:
 * clients name a type that is not simple, or one of two headers.
 *
 * @throws HttpRefusal 400
 */
export function preventCsrf(req: IncomingMessage): void {
  const type = parseContentType(req.headers['content-type'])?.type;
  if (type !== undefined && !SIMPLE_TYPES.has(type)) return;
  if (PREFLIGHT_HEADERS.some((name) => typeof req.headers[name] === 'string' && req.headers[name] !== '')) return;
  throw new HttpRefusal(
    400,
    'CSRF_PREVENTION',
    `This request could come from a foreign web page. Send "content-type: application/json", or one of the headers ${PREFLIGHT_HEADERS.join(', ')}.`,
  );
}
