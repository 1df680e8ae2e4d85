import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';

export interface CorsOptions {
  /** Exact origins, such as `https://app.example.com`; `*` for everybody. No credentials: tokens travel in a header. */
  origins: readonly string[];
}

/** Where Apollo Sandbox runs: by itself, and embedded in the landing page. */
export const SANDBOX_ORIGINS = ['https://studio.apollographql.com', 'https://sandbox.embed.apollographql.com'];

const MAX_AGE_SECONDS = '600';

/** Adds the CORS headers to the head of a response. Answers a preflight itself, and says so by returning true. */
export function applyCors(
  req: IncomingMessage,
  res: ServerResponse,
  head: OutgoingHttpHeaders,
  { origins }: CorsOptions,
): boolean {
  const origin = req.headers.origin;
  const allowed = origin !== undefined && (origins.includes('*') || origins.includes(origin));
  head['vary'] = 'origin';
  if (allowed) {
    head['access-control-allow-origin'] = origin;
    head['access-control-expose-headers'] = 'x-request-id';
  }
  if (req.method !== 'OPTIONS') return false;

  const requested = req.headers['access-control-request-headers'];
  if (allowed) {
    head['access-control-allow-methods'] = 'GET, POST, OPTIONS';
    head['access-control-max-age'] = MAX_AGE_SECONDS;
    if (requested !== undefined) head['access-control-allow-headers'] = requested;
    // A page on the public web may reach this router on the developer's own machine.
    if (req.headers['access-control-request-private-network'] === 'true') {
      head['access-control-allow-private-network'] = 'true';
    }
  }
  res.writeHead(204, { ...head, allow: 'GET, POST, OPTIONS' }).end();
  return true;
}
