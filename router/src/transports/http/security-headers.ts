export interface SecurityOptions {
  /** Clients come by https, and are to come by nothing else from now on. */
  https: boolean;
}

type Headers = Readonly<Record<string, string>>;

const YEAR_SECONDS = 31_536_000;

/**
 * What helmet (helmetjs.github.io) sends by default, of an answer that is no page: nothing of it may be shown, framed,
 * embedded or guessed to be something else.
 */
export function securityHeaders({ https }: SecurityOptions): Headers {
  return {
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    ...(https ? { 'strict-transport-security': `max-age=${YEAR_SECONDS}; includeSubDomains` } : {}),
  };
}

/** The same of a page with Apollo Sandbox in it, whose script is from Apollo's CDN and talks to any endpoint. */
export function pageSecurityHeaders(options: SecurityOptions, inlineScriptHash: string): Headers {
  return {
    ...securityHeaders(options),
    'content-security-policy': [
      "default-src 'none'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      `script-src https://embeddable-sandbox.cdn.apollographql.com '${inlineScriptHash}'`,
      "style-src 'unsafe-inline'",
      "img-src 'self' data: https://*.apollographql.com",
      'frame-src https://sandbox.embed.apollographql.com',
      'connect-src http: https: ws: wss:',
    ].join('; '),
    'cross-origin-opener-policy': 'same-origin-allow-popups',
    'origin-agent-cluster': '?1',
    'x-dns-prefetch-control': 'off',
    'x-frame-options': 'DENY',
    'x-permitted-cross-domain-policies': 'none',
  };
}
