import type { IncomingMessage, ServerResponse } from 'node:http';

export interface CorsOptions {
  /** Exact origins, such as `https://app.example.com`; `*` for everybody. No credentials: tokens travel in a header. */
  origins: readonly string[];
}

/** Where Apollo Sandbox runs: by itself, and embedded in the landing page. */
export const SANDBOX_ORIGINS = ['https://studio.apollographql.com', 'https://sandbox.embed.apollographql.com'];

const MAX_AGE_SECONDS = '600';

/** Sets the CORS headers of a response. Answers a preflight itself, and says so by returning true. */
export function applyCors(req: IncomingMessage, res: ServerResponse, { origins }: CorsOptions): boolean {
  const origin = req.headers.origin;
  const allowed = origin !== undefined && (origins.includes('*') || origins.includes(origin));
  res.setHeader('vary', 'origin');
  if (allowed) {
    res.setHeader('access-control-allow-origin', origin);
    res.setHeader('access-control-expose-headers', 'x-request-id');
  }
  if (req.method !== 'OPTIONS') return false;

  const requested = req.headers['access-control-request-headers'];
  if (allowed) {
    res.setHeader('access-control-allow-methods', 'GET, POST, OPTIONS');
    res.setHeader('access-control-max-age', MAX_AGE_SECONDS);
    if (requested !== undefined) res.setHeader('access-control-allow-headers', requested);
    // A page on the public web may reach this router on the developer's own machine.
    if (req.headers['access-control-request-private-network'] === 'true') {
      res.setHeader('access-control-allow-private-network', 'true');
    }
  }
  res.writeHead(204, { allow: 'GET, POST, OPTIONS' }).end();
  return true;
}
