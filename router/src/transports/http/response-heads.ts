import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { REQUEST_ID_HEADER } from '@timbre/platform/identity';
import { compileCors, METHODS } from './cors.ts';
import type { CorsOptions } from './cors.ts';
import { INLINE_SCRIPT_HASH } from './landing-page.ts';
import { pageSecurityHeaders, securityHeaders } from './security-headers.ts';

export interface ResponseHeadOptions {
  cors: CorsOptions | null;
  https: boolean;
  /** Whether the encoding of an answer is the client's choice. */
  compresses: boolean;
}

export interface ResponseHeads {
  /** A new object: the beginning of every response's head. */
  of(req: IncomingMessage, requestId: string): OutgoingHttpHeaders;
  /** Beside that, of the landing page. */
  page: Readonly<Record<string, string>>;
  /** The whole head of the answer to OPTIONS. */
  preflight(req: IncomingMessage, requestId: string): OutgoingHttpHeaders;
}

const MAX_KNOWN = 100;

/**
 * Heads are handed to writeHead at once, and what is the same in all of them is made once: each header that is set by
 * itself costs a tenth of the response.
 */
export function createResponseHeads({ cors, https, compresses }: ResponseHeadOptions): ResponseHeads {
  const compiled = cors === null ? null : compileCors(cors);
  const vary = ['accept', ...(compresses ? ['accept-encoding'] : []), ...(compiled?.varies === true ? ['origin'] : [])];
  const common = { ...securityHeaders({ https }), 'cache-control': 'no-store', vary: vary.join(', ') };
  const byOrigin = new Map<string | undefined, OutgoingHttpHeaders>();

  function baseFor(origin: string | undefined): OutgoingHttpHeaders {
    let base = byOrigin.get(origin);
    if (base === undefined) {
      base = { ...common, ...compiled?.headersFor(origin) };
      if (byOrigin.size >= MAX_KNOWN) byOrigin.clear();
      byOrigin.set(origin, base);
    }
    return base;
  }

  const of = ({ headers }: IncomingMessage, requestId: string) => ({
    ...(compiled === null ? common : baseFor(headers.origin)),
    [REQUEST_ID_HEADER]: requestId,
  });
  return {
    of,
    page: pageSecurityHeaders({ https }, INLINE_SCRIPT_HASH),
    preflight: (req, requestId) => ({
      ...of(req, requestId),
      ...compiled?.preflightHeaders(req.headers),
      vary: 'origin, access-control-request-headers, access-control-request-private-network',
      allow: METHODS,
    }),
  };
}
