import type { IncomingHttpHeaders } from 'node:http';
import { HttpRefusal } from './http-refusal.ts';
import { parseContentType } from './media-types.ts';

/** Bodies that a browser sends across origins without asking first (fetch.spec.whatwg.org, "CORS-safelisted"). */
const SIMPLE_TYPES = new Set(['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain']);
/** Of which Apollo's clients send one. */
export const PREFLIGHT_HEADERS: readonly string[] = ['x-apollo-operation-name', 'apollo-require-preflight'];

/**
 * Refuses what a foreign page could make a browser send without a preflight, by Apollo's convention:
 * clients name a type that is not simple, or one of a few headers.
 *
 * @param required lower-case names of headers of which one is enough
 * @throws HttpRefusal 400
 */
export function preventCsrf(headers: IncomingHttpHeaders, required: readonly string[]): void {
  if (!isSimpleRequest(headers, required)) return;
  throw new HttpRefusal(
    400,
    'CSRF_PREVENTION',
    `This request could come from a foreign web page. Send "content-type: application/json", or one of the headers ${required.join(', ')}.`,
  );
}

/** Whether a foreign page can make a browser send this without a preflight. */
export function isSimpleRequest(headers: IncomingHttpHeaders, required: readonly string[]): boolean {
  const type = headers['content-type'];
  if (type === 'application/json') return false;
  const parsed = parseContentType(type)?.type;
  if (parsed !== undefined && !SIMPLE_TYPES.has(parsed)) return false;
  return !required.some((name) => typeof headers[name] === 'string' && headers[name] !== '');
}
