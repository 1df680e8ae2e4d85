import { createHash } from 'node:crypto';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { ExecutionOutcome } from '../../execution/execute-operation.ts';
import type { ResponseType } from './media-types.ts';

/** Of a caller, and not of an answer that others get, too. */
const OF_THE_CALLER = ['ratelimit', 'ratelimit-policy'];

/** Adds an outcome's headers to a response's head; what it varies by is added to what that does. */
export function addHeaders(head: OutgoingHttpHeaders, { headers }: Pick<ExecutionOutcome, 'headers'>): void {
  if (headers === undefined) return;
  for (const name in headers) {
    const value = headers[name];
    const isAdded = name === 'vary' && head[name] !== undefined;
    if (value !== undefined) head[name] = isAdded ? `${head[name]}, ${value}` : value;
  }
}

/**
 * What is sent in answer to a GET that whoever is on the way may keep: nothing in it is about who asked. Its body as it
 * is otherwise.
 */
export function withoutCaller(head: OutgoingHttpHeaders, outcome: ExecutionOutcome): ExecutionOutcome {
  if (!String(head['cache-control']).startsWith('public')) return outcome;
  for (const name of OF_THE_CALLER) delete head[name];
  const { data, errors } = outcome;
  return errors === undefined ? { data } : { data, errors };
}

/** Whether a response may be kept, and is worth being asked for by what it was. */
export function isKept(head: OutgoingHttpHeaders): boolean {
  return head['cache-control'] !== 'no-store';
}

/** The opaque part of a strong entity tag (RFC 9110, section 8.8.3); that of an encoding is added to it. */
export function entityTagOf(type: ResponseType, text: string): string {
  return createHash('sha256').update(`${type}\n${text}`).digest('base64url').slice(0, 27);
}

/** Whether the client has it already, in whatever encoding. */
export function hasIt({ headers }: IncomingMessage, entityTag: string): boolean {
  const given = headers['if-none-match'];
  if (given === undefined) return false;
  if (given.trim() === '*') return true;
  return given.split(',').some((tag) => {
    const [, opaque] = /^\s*(?:W\/)?"([^"]*)"\s*$/.exec(tag) ?? [];
    return opaque !== undefined && opaque.replace(/-(?:br|gzip)$/, '') === entityTag;
  });
}
