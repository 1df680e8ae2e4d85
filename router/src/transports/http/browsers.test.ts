import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestGraph } from '../../testing/test-graph.ts';
import type { TestGraph } from '../../testing/test-graph.ts';
import { answerOf, codesOf, startTestRouter } from '../../testing/test-router.ts';
import type { TestRouter } from '../../testing/test-router.ts';
import { compileCors, SANDBOX_ORIGINS } from './cors.ts';
import type { CorsOptions } from './cors.ts';
import { landingPage } from './landing-page.ts';

let graph: TestGraph;
let router: TestRouter;

const APP = 'https://app.example.com';
const query = '{ who { userId } }';

beforeAll(async () => {
  graph = await startTestGraph();
  router = await startTestRouter(graph, {
    csrfPrevention: true,
    https: true,
    cors: { origins: [APP, 'https://*.preview.example.com', ...SANDBOX_ORIGINS] },
    landingPage: () => landingPage({ graphqlUrl: 'http://example.test/graphql', tokenCommand: 'npm run -s token' }),
  });
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

const withRouter = async (cors: CorsOptions, use: (url: string) => Promise<void>) => {
  const other = await startTestRouter(graph, { cors });
  try {
    await use(other.url);
  } finally {
    await other.close();
  }
};
/** By node:http: fetch does not let a header `origin` through. */
const ask = (
  headers: Record<string, string>,
  { url = router.url, method = 'POST', body = JSON.stringify({ query }) } = {},
): Promise<{ status: number | undefined; headers: Record<string, string | string[] | undefined> }> =>
  new Promise((resolve, reject) => {
    request(url, { method, headers: { 'content-type': 'application/json', ...headers } }, (res) => {
      res.resume().once('end', () => resolve({ status: res.statusCode, headers: res.headers }));
    })
      .on('error', reject)
      .end(method === 'OPTIONS' || method === 'GET' ? undefined : body);
  });
const allowed = async (origin: string, url?: string) =>
  (await ask({ origin }, url === undefined ? {} : { url })).headers['access-control-allow-origin'];
const preflight = (origin: string, headers: Record<string, string> = {}, url = router.url) =>
  ask(
    {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,authorization',
      ...headers,
    },
    { method: 'OPTIONS', url },
  );

describe('CORS', () => {
  test('lets in who is named, and nobody who looks like it', async () => {
    expect(await allowed(APP)).toBe(APP);
    expect(await allowed('https://a-1.preview.example.com')).toBe('https://a-1.preview.example.com');
    for (const origin of [
      'null',
      'https://evil.test',
      'http://app.example.com',
      'https://app.example.com.',
      'https://app.example.com:8443',
      'https://app.example.com.evil.test',
      'https://evil-app.example.com',
      'https://app.example.comevil.test',
      'https://appXexample.com',
      'https://APP.example.com',
      'https://app.example.com/',
      'https://preview.example.com',
      'https://.preview.example.com',
      'https://a.b.preview.example.com',
      'https://a.preview.example.com.evil.test',
      'https://evil.test/a.preview.example.com',
      'https://evil.test#.preview.example.com',
      'https://evil.test?x.preview.example.com',
      'https://user@evil.test',
      'https://app.example.com, https://evil.test',
      '*',
    ]) {
      expect(await allowed(origin), origin).toBeUndefined();
      expect((await preflight(origin)).headers['access-control-allow-methods'], origin).toBeUndefined();
    }
  });

  test('an answer says what pages may read, and that it depends on the origin', async () => {
    const { headers } = await ask({ origin: APP });
    const exposed = String(headers['access-control-expose-headers']).split(', ');
    expect(exposed).toEqual(expect.arrayContaining(['x-request-id', 'ratelimit', 'retry-after', 'etag']));
    expect(headers['vary']).toContain('origin');
    expect(headers['access-control-allow-credentials']).toBeUndefined();
    const refused = await ask({ origin: APP, accept: 'text/plain' });
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([406, APP]);
  });

  test('a preflight is answered at once, and remembered', async () => {
    const { status, headers } = await preflight(APP);
    expect(status).toBe(204);
    expect(headers).toMatchObject({
      'access-control-allow-origin': APP,
      'access-control-allow-methods': 'GET, POST, OPTIONS',
      'access-control-allow-headers': 'content-type,authorization',
      'access-control-max-age': '7200',
    });
    expect(headers['access-control-allow-private-network']).toBeUndefined();
    const local = await preflight(APP, { 'access-control-request-private-network': 'true' });
    expect(local.headers['access-control-allow-private-network']).toBe('true');
    const odd = await preflight(APP, { 'access-control-request-headers': 'x-a, <script>' });
    expect(odd.headers['access-control-allow-headers']).toBeUndefined();
  });

  test('everybody may be let in, without credentials', async () => {
    await withRouter({ origins: ['*'], exposeHeaders: ['x-mine'] }, async (url) => {
      const { headers } = await ask({ origin: 'https://any.test' }, { url });
      expect(headers['access-control-allow-origin']).toBe('*');
      expect(headers['access-control-expose-headers']).toContain('x-mine');
      expect(headers['vary']).not.toContain('origin');
    });
  });

  test('credentials are for exact origins only', async () => {
    for (const origins of [['*'], [APP, 'https://*.example.com'], [APP, '*']]) {
      expect(() => compileCors({ origins, credentials: true })).toThrow(/exact origins/);
      await expect(startTestRouter(graph, { cors: { origins, credentials: true } })).rejects.toThrow(TypeError);
    }
    await withRouter({ origins: [APP], credentials: true, allowHeaders: ['content-type'] }, async (url) => {
      expect((await ask({ origin: APP }, { url })).headers['access-control-allow-credentials']).toBe('true');
      expect((await ask({ origin: 'https://evil.test' }, { url })).headers).not.toHaveProperty(
        'access-control-allow-credentials',
      );
      const { headers } = await preflight(APP, {}, url);
      expect(headers['access-control-allow-headers']).toBe('content-type');
      expect(headers['access-control-allow-credentials']).toBe('true');
    });
  });

  test.each(['null', 'app.example.com', 'https://app.example.com/', 'https://app.example.com/path', '*://x.test', ''])(
    '%j is no origin',
    (origin) => {
      expect(() => compileCors({ origins: [origin] })).toThrow(/is no origin/);
    },
  );
});

describe('CSRF prevention', () => {
  test('refuses what a page could send without a preflight', async () => {
    for (const [method, headers] of [
      ['GET', { 'content-type': '' }],
      ['GET', { 'content-type': 'text/plain' }],
      ['POST', { 'content-type': 'text/plain' }],
      ['POST', { 'content-type': 'text/plain;application/json' }],
      ['POST', { 'content-type': 'TEXT/PLAIN; charset=utf-8' }],
      ['POST', { 'content-type': 'multipart/form-data; boundary=x' }],
      ['POST', { 'content-type': 'application/x-www-form-urlencoded' }],
      ['POST', { 'content-type': '', 'apollo-require-preflight': '' }],
    ] as const) {
      const url = method === 'GET' ? `${router.url}?${new URLSearchParams({ query }).toString()}` : router.url;
      const body = method === 'GET' ? null : JSON.stringify({ query });
      const answer = await answerOf(await fetch(url, { method, headers, body }));
      expect([answer.status, codesOf(answer)], JSON.stringify([method, headers])).toEqual([400, ['CSRF_PREVENTION']]);
    }
  });

  test('lets what needs a preflight pass', async () => {
    const url = `${router.url}?${new URLSearchParams({ query }).toString()}`;
    for (const headers of [
      { 'apollo-require-preflight': '1' },
      { 'x-apollo-operation-name': 'Who' },
      { 'content-type': 'application/json' },
    ]) {
      expect((await answerOf(await fetch(url, { headers }))).data).toEqual({ who: { userId: null } });
    }
    expect((await ask({})).status).toBe(200);
  });

  test('takes other headers by configuration, in place of those', async () => {
    const custom = await startTestRouter(graph, { csrfPrevention: { headers: ['X-Mine'] } });
    const get = (headers: Record<string, string>) =>
      fetch(`${custom.url}?${new URLSearchParams({ query }).toString()}`, { headers });
    expect((await get({ 'x-mine': '1' })).status).toBe(200);
    expect((await get({ 'apollo-require-preflight': '1' })).status).toBe(400);
    await custom.close();
  });
});

describe('the landing page', () => {
  const open = () => fetch(router.url, { headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } });

  test('also says how to connect without Sandbox', async () => {
    const response = await open();
    const page = await response.text();
    expect(response.headers.get('content-type')).toContain('text/html');
    for (const part of [
      'embeddable-sandbox',
      'http://example.test/graphql',
      'ws://example.test/graphql',
      'curl ',
      'npm run -s token',
    ]) {
      expect(page).toContain(part);
    }
  });

  test('may run its own scripts and nothing else, framed by nobody', async () => {
    const response = await open();
    const policy = response.headers.get('content-security-policy') ?? '';
    const inline = /<script>(?<text>[^]*?)<\/script>/.exec(await response.text())?.groups?.['text'] ?? '';
    expect(policy).toContain(`'sha256-${createHash('sha256').update(inline).digest('base64')}'`);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/script-src[^;]*unsafe/);
    expect(response.headers.get('x-frame-options')).toBe('DENY');
    expect(response.headers.get('cross-origin-opener-policy')).toBe('same-origin-allow-popups');
  });

  test('cannot be made to run what an address says', () => {
    const page = landingPage({
      graphqlUrl: `http://x"'></script><script>alert(1)</script>/graphql`,
      tokenCommand: null,
    });
    expect(page).not.toContain('<script>alert');
    expect(page).not.toContain(`x"'>`);
  });
});

describe('security headers', () => {
  const expected = {
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'strict-transport-security': 'max-age=31536000; includeSubDomains',
    'x-content-type-options': 'nosniff',
  };

  test('are on every answer', async () => {
    for (const answer of [
      await ask({}),
      await ask({}, { body: '{' }),
      await ask({ 'content-type': 'text/plain' }),
      await ask({ accept: 'text/plain' }),
      await ask({ accept: 'text/event-stream' }),
      await ask({}, { method: 'PUT' }),
      await preflight(APP),
      await preflight('https://evil.test'),
    ]) {
      expect(answer.headers).toMatchObject(expected);
      expect(answer.headers).not.toHaveProperty('x-powered-by');
      expect(answer.headers).not.toHaveProperty('server');
    }
  });

  test('only those who come by https are told to go on with it', async () => {
    await withRouter({ origins: [] }, async (url) => {
      const { headers } = await ask({}, { url });
      expect(headers).not.toHaveProperty('strict-transport-security');
      expect(headers['x-content-type-options']).toBe('nosniff');
    });
  });
});
