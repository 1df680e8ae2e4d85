import type { IncomingHttpHeaders } from 'node:http';

/** How a client names itself: for logs and counts, never for a right. */
export interface ClientIdentity {
  name: string | null;
  version: string | null;
}

const UNKNOWN: ClientIdentity = Object.freeze({ name: null, version: null });

/** By the headers that Apollo's clients send, and those that are nobody's own. */
export function clientIdentityOf(headers: IncomingHttpHeaders): ClientIdentity {
  const name = headers['apollographql-client-name'] ?? headers['graphql-client-name'];
  const version = headers['apollographql-client-version'] ?? headers['graphql-client-version'];
  if (name === undefined && version === undefined) return UNKNOWN;
  return { name: typeof name === 'string' ? name : null, version: typeof version === 'string' ? version : null };
}
