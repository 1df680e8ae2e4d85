import type { IncomingHttpHeaders } from 'node:http';

export interface CorsOptions {
  /**
   * Exact origins, such as `https://app.example.com`. A `*` stands for one label of the host, as in
   * `https://*.example.com`; alone it lets everybody in.
   */
  origins: readonly string[];
  /** Whether a page may send cookies along; only with exact origins. Default false: tokens travel in a header. */
  credentials?: boolean;
  /** What requests may have as headers; default whatever a page asks for. */
  allowHeaders?: readonly string[];
  /** What pages may read of a response's headers beside the router's own. */
  exposeHeaders?: readonly string[];
  /** How long a browser remembers a preflight; default two hours, the most that Chrome does. */
  maxAgeSeconds?: number;
}

/** The checked and compiled form of {@link CorsOptions}. */
export interface Cors {
  /** Of a response to a page of this origin, beside `vary`. */
  headersFor(origin: string | undefined): Readonly<Record<string, string>>;
  /** Of the answer to a preflight, beside {@link headersFor}. */
  preflightHeaders(headers: IncomingHttpHeaders): Readonly<Record<string, string>>;
  /** Whether what a response says depends on the origin. */
  varies: boolean;
}

/** Where Apollo Sandbox runs: by itself, and embedded in the landing page. */
export const SANDBOX_ORIGINS = ['https://studio.apollographql.com', 'https://sandbox.embed.apollographql.com'];

export const METHODS = 'GET, POST, OPTIONS';
const EXPOSED = [
  'x-request-id',
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
  'etag',
  'age',
  'cache-control',
  'www-authenticate',
];
const MAX_AGE_SECONDS = 7_200;
const FIELD_NAMES = /^[\w!#$%&'*+.^`|~-]+(?:\s*,\s*[\w!#$%&'*+.^`|~-]+)*$/;
const NOTHING: Readonly<Record<string, string>> = {};

/** @throws TypeError for what is no origin, and for credentials where an origin is not exact */
export function compileCors(options: CorsOptions): Cors {
  const { origins, credentials = false, allowHeaders, exposeHeaders = [], maxAgeSeconds = MAX_AGE_SECONDS } = options;
  const everybody = origins.includes('*');
  const exact = new Set(origins.filter((origin) => !origin.includes('*')));
  const patterns = origins.filter((origin) => origin !== '*' && origin.includes('*')).map(patternOf);
  for (const origin of exact) checkOrigin(origin, origin);
  if (credentials && exact.size < origins.length) {
    throw new TypeError('CORS with credentials needs exact origins, without "*".');
  }

  const shared: Record<string, string> = {
    'access-control-expose-headers': [...new Set([...EXPOSED, ...exposeHeaders])].join(', '),
  };
  if (credentials) shared['access-control-allow-credentials'] = 'true';
  const forEverybody = { ...shared, 'access-control-allow-origin': '*' };

  const isAllowed = (origin: string) => exact.has(origin) || patterns.some((pattern) => pattern.test(origin));
  return {
    varies: !everybody,
    headersFor(origin) {
      if (origin === undefined) return NOTHING;
      if (everybody) return forEverybody;
      return isAllowed(origin) ? { ...shared, 'access-control-allow-origin': origin } : NOTHING;
    },
    preflightHeaders(headers) {
      const { origin } = headers;
      if (origin === undefined || !(everybody || isAllowed(origin))) return NOTHING;
      const asked = headers['access-control-request-headers'];
      const names = allowHeaders?.join(', ') ?? (asked !== undefined && FIELD_NAMES.test(asked) ? asked : '');
      return {
        'access-control-allow-methods': METHODS,
        'access-control-max-age': String(maxAgeSeconds),
        ...(names === '' ? {} : { 'access-control-allow-headers': names }),
        // A page on the public web may reach this router on the developer's own machine.
        ...(headers['access-control-request-private-network'] === 'true'
          ? { 'access-control-allow-private-network': 'true' }
          : {}),
      };
    },
  };
}

function patternOf(origin: string): RegExp {
  checkOrigin(origin.replaceAll('*', 'label'), origin);
  const labels = origin.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\/]/g, String.raw`\$&`));
  return new RegExp(`^${labels.join('[a-z0-9-]+')}$`);
}

function checkOrigin(text: string, origin: string): void {
  if (URL.parse(text)?.origin !== text) {
    throw new TypeError(
      `"${origin}" is no origin: expected a scheme, a host and maybe a port, as https://example.com.`,
    );
  }
}
