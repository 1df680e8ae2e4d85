import type { IncomingHttpHeaders } from 'node:http';

/** How a client names itself: for logs and counts, never for a right. */
export interface ClientIdentity {
  name: string | null;
  version: string | null;
}

const UNKNOWN: ClientIdentity = Object.freeze({ name: null, version: null });
/** What names and versions are made of; nothing that could be a part of a log's or a metric's syntax. */
const HARMLESS = /^[A-Za-z0-9@][A-Za-z0-9@ ._/:+()~-]{0,99}$/;

/**
 * By the headers that Apollo's clients send, and those that are nobody's own; a websocket's `connection_init` may also say
 * `clientName` and `clientVersion`. What is no harmless text counts as not sent.
 */
export function clientIdentityOf(headers: IncomingHttpHeaders): ClientIdentity {
  const name = headers['apollographql-client-name'] ?? headers['graphql-client-name'];
  const version = headers['apollographql-client-version'] ?? headers['graphql-client-version'];
  if (name === undefined && version === undefined) return UNKNOWN;
  return { name: harmless(name), version: harmless(version) };
}

export function isIdentified({ name, version }: ClientIdentity): boolean {
  return name !== null && version !== null;
}

function harmless(value: unknown): string | null {
  return typeof value === 'string' && HARMLESS.test(value) ? value : null;
}
