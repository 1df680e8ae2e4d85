import { createServer } from 'node:http';
import { AppError } from '@timbre/platform/errors';
import { createIdentityVerifier, IDENTITY_HEADER } from '@timbre/platform/identity';
import { createLogger } from '@timbre/platform/logger';
import { base64url, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createIdentitySigner } from '@timbre/platform/identity';
import { startTestGraph } from '../testing/test-graph.ts';
import { IDENTITY_SECRET } from '../testing/test-subgraph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { listen } from '../testing/listen.ts';
import { AUDIENCE, createTestIssuer, ISSUER } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { codesOf, startTestRouter, trusted } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import { createAuthenticator } from './authenticator.ts';
import { createRemoteKeySet } from './key-set.ts';
import type { ResolvedPrincipal } from './principal-resolver.ts';
import { createTokenRecognition } from './recognize-token.ts';
import { createUsersClient } from './users-client.ts';
import { createTokenVerifier } from './verify-token.ts';

let graph: TestGraph;
let issuer: TestIssuer;
let router: TestRouter;
const log = createLogger({ name: 'test', level: 'silent' });
const now = () => Math.floor(Date.now() / 1000);

beforeAll(async () => {
  graph = await startTestGraph();
  issuer = await createTestIssuer();
  router = await startTestRouter(graph, { issuer });
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

const requestOf = (token: string) => ({
  headers: { authorization: `Bearer ${token}` },
  requestId: 'id',
  mayBeForeign: () => false,
});
const who = (token?: string) =>
  router.query('{ who { userId scopes } me { id } }', token === undefined ? {} : { token });

describe('a good token', () => {
  test('makes its subject the caller', async () => {
    const answer = await who(await issuer.sign({ scope: 'a b' }));
    expect(answer.data).toEqual({ who: { userId: 'user-1', scopes: ['a', 'b'] }, me: { id: 'user-1' } });
  });

  test('may name several audiences, and be a little out of step with our clock', async () => {
    expect((await who(await issuer.sign({ aud: ['https://other.test', AUDIENCE] }))).status).toBe(200);
    expect((await who(await issuer.sign({ nbf: now() + 2, exp: now() + 60 }))).status).toBe(200);
  });

  test('with permissions may what scope and permissions both say', async () => {
    const answer = await who(await issuer.sign({ scope: 'a b', permissions: ['b', 'c'] }));
    expect(answer.data).toMatchObject({ who: { scopes: ['b'] } });
    expect((await who(await issuer.sign({ scope: 'a b', permissions: [] }))).data).toMatchObject({
      who: { scopes: [] },
    });
  });

  test('no token is the anonymous caller', async () => {
    const answer = await who();
    expect(answer.status).toBe(200);
    expect(answer.data).toEqual({ who: { userId: null, scopes: [] }, me: null });
  });
});

describe('a bad token', () => {
  const forged = async (claims: Record<string, unknown>, header: Record<string, string>, secret: Uint8Array) =>
    new SignJWT({ iss: ISSUER, aud: AUDIENCE, sub: 'user-1', exp: now() + 300, ...claims })
      .setProtectedHeader({ alg: 'HS256', ...header })
      .sign(secret);
  const unsigned = (header: object, claims: object) =>
    `${base64url.encode(JSON.stringify(header))}.${base64url.encode(JSON.stringify(claims))}.`;
  const good = { iss: ISSUER, aud: AUDIENCE, sub: 'user-1', exp: now() + 300 };

  const cases: [string, () => Promise<string> | string, RegExp][] = [
    ['no token at all', () => 'hello', /not a signed JWT/],
    ['expired', () => issuer.sign({ exp: now() - 120 }), /expired/],
    ['expired beyond the leeway', () => issuer.sign({ exp: now() - 10 }), /expired/],
    ['not valid yet', () => issuer.sign({ nbf: now() + 120 }), /not valid yet/],
    ['for another audience', () => issuer.sign({ aud: 'https://other.test' }), /audience/],
    ['from another issuer', () => issuer.sign({ iss: 'https://evil.test/' }), /issuer/],
    ['from the issuer without its slash', () => issuer.sign({ iss: ISSUER.slice(0, -1) }), /issuer/],
    ['without a subject', () => issuer.sign({ sub: undefined }), /"sub"/],
    ['that never expires', () => issuer.sign({ exp: undefined }), /"exp"/],
    ['alg none', () => unsigned({ alg: 'none' }, good), /algorithm|signed JWT/],
    ['alg none with a signature', () => `${unsigned({ alg: 'none', kid: 'key-1' }, good)}AAAA`, /algorithm|signed JWT/],
    [
      'HS256 with the public key',
      async () => forged({}, { kid: 'key-1' }, new TextEncoder().encode(await issuer.publicKeyPem())),
      /algorithm/,
    ],
    ['an ID token by its nonce', () => issuer.sign({ nonce: 'n' }), /not an access token/],
    ['an ID token by its hash', () => issuer.sign({ at_hash: 'h' }), /not an access token/],
    ['an ID token by its header', () => issuer.sign({}, { typ: 'id+jwt' }), /not an access token/],
    ['of an unknown key', () => issuer.sign({}, { kid: 'key-9' }), /unknown key/],
    [
      'signed by somebody else under a known key id',
      async () => {
        const { privateKey } = await generateKeyPair('ES256');
        return new SignJWT(good).setProtectedHeader({ alg: 'ES256', kid: 'key-1' }).sign(privateKey);
      },
      /signature/,
    ],
    [
      'with a key of its own in the header',
      async () => {
        const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
        const { exportJWK } = await import('jose');
        const header = { alg: 'ES256', jwk: await exportJWK(publicKey) };
        return new SignJWT(good).setProtectedHeader(header).sign(privateKey);
      },
      /"jwk", which is not accepted/,
    ],
    [
      'with a changed payload',
      async () => {
        const [header, , signature] = (await issuer.sign()).split('.');
        return `${header}.${base64url.encode(JSON.stringify({ ...good, sub: 'user-2' }))}.${signature}`;
      },
      /signature/,
    ],
    ['a megabyte long', () => 'x'.repeat(15_000), /not a signed JWT/],
  ];

  test.each(cases)('%s: 401 with the reason and no more', async (_name, make, reason) => {
    const token = await make();
    const answer = await who(token);
    expect(answer.status).toBe(401);
    expect(codesOf(answer)).toEqual(['UNAUTHENTICATED']);
    expect(answer.data).toBeUndefined();
    expect(answer.errors[0]?.message).toMatch(reason);
    expect(answer.headers.get('www-authenticate')).toContain('invalid_token');
    expect(answer.text).not.toContain(token.slice(0, 200).slice(-40));
    expect(answer.text).not.toMatch(/ {4}at |node_modules/);
  });

  test('the wrong kind of credentials', async () => {
    const answer = await router.query('{ __typename }', { headers: { authorization: 'Basic dXNlcjpwYXNz' } });
    expect(answer.status).toBe(401);
    expect(answer.errors[0]?.message).toContain('Bearer');
  });

  test('longer than any token', async () => {
    const verify = createTokenVerifier([trusted(issuer)]);
    await expect(verify('x'.repeat(1_000_000))).rejects.toThrow(/longer than/);
  });
});

test('a remembered token ends with its expiry', async () => {
  let at = Date.now();
  const verify = createTokenVerifier([trusted(issuer)], { now: () => at });
  const token = createTokenRecognition({ verify, resolver: null });
  const { authenticate } = createAuthenticator({ token, now: () => at });
  const request = requestOf(await issuer.sign({ exp: now() + 100 }));
  const principal = await authenticate(request);
  at += 99_000;
  expect(authenticate(request), 'at once').toBe(principal);
  at += 7_000;
  await expect(async () => authenticate(request)).rejects.toThrow(/expired/);
});

describe('keys of a remote issuer', () => {
  interface Remote {
    url: string;
    hits: Record<string, number>;
    fail: boolean;
    close(): void;
  }

  async function startIssuer(jwks: () => object, discovery: boolean): Promise<Remote> {
    const remote: Remote = { url: '', hits: {}, fail: false, close: () => server.close() };
    const server = createServer((req, res) => {
      const path = req.url ?? '';
      remote.hits[path] = (remote.hits[path] ?? 0) + 1;
      const send = (body: object) =>
        res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      if (remote.fail) res.writeHead(500).end('<html>');
      else if (path === '/.well-known/openid-configuration' && discovery) {
        send({ issuer: remote.url, jwks_uri: `${remote.url}keys` });
      } else if (path === '/keys' || path === '/.well-known/jwks.json') send(jwks());
      else res.writeHead(404).end();
    });
    remote.url = `${await listen(server)}/`;
    return remote;
  }

  test('are found by discovery, or where they usually are, and fetched once for all', async () => {
    for (const discovery of [true, false]) {
      const remote = await startIssuer(() => issuer.jwks, discovery);
      const keys = createRemoteKeySet({ issuer: remote.url, log });
      const verify = createTokenVerifier([{ issuer: remote.url, audiences: [AUDIENCE], keys }]);
      const tokens = await Promise.all([1, 2, 3].map((n) => issuer.sign({ iss: remote.url, sub: `u${n}` })));
      await Promise.all(tokens.map((token) => verify(token)));
      expect(remote.hits[discovery ? '/keys' : '/.well-known/jwks.json']).toBe(1);
      remote.close();
    }
  });

  test('an unknown key id fetches once, and not again before the cooldown is over', async () => {
    const rotating = await createTestIssuer();
    const remote = await startIssuer(() => rotating.jwks, false);
    let at = Date.now();
    const keys = createRemoteKeySet({ issuer: remote.url, jwksUrl: `${remote.url}keys`, log, now: () => at });
    const verify = createTokenVerifier([{ issuer: remote.url, audiences: [AUDIENCE], keys }]);
    await verify(await rotating.sign({ iss: remote.url }));
    await rotating.rotate();
    at += 31_000;
    await verify(await rotating.sign({ iss: remote.url }));
    expect(remote.hits['/keys']).toBe(2);
    for (let i = 0; i < 20; i += 1) {
      await expect(verify(await rotating.sign({ iss: remote.url, sub: `u${i}` }, { kid: `no-${i}` }))).rejects.toThrow(
        /unknown key/,
      );
    }
    expect(remote.hits['/keys']).toBe(2);
    remote.close();
  });

  test('stay in use while the issuer is down', async () => {
    const remote = await startIssuer(() => issuer.jwks, false);
    let at = Date.now();
    const keys = createRemoteKeySet({ issuer: remote.url, jwksUrl: `${remote.url}keys`, log, now: () => at });
    const verify = createTokenVerifier([{ issuer: remote.url, audiences: [AUDIENCE], keys }]);
    await verify(await issuer.sign({ iss: remote.url }));
    remote.fail = true;
    at += 3_600_000;
    await verify(await issuer.sign({ iss: remote.url, sub: 'later' }));
    await expect(verify(await issuer.sign({ iss: remote.url }, { kid: 'no' }))).rejects.toThrow(/unknown key/);
    await verify(await issuer.sign({ iss: remote.url, sub: 'later still' }));
    remote.close();
  });

  test('that were never fetched are our outage, not the caller’s fault', async () => {
    const keys = createRemoteKeySet({ issuer: 'http://127.0.0.1:9/', log });
    const verify = createTokenVerifier([{ issuer: 'http://127.0.0.1:9/', audiences: [AUDIENCE], keys }]);
    const token = createTokenRecognition({ verify, resolver: null });
    const down = await startTestRouter(graph, { authenticate: createAuthenticator({ token }).authenticate });
    const answer = await down.query('{ __typename }', { token: await issuer.sign({ iss: 'http://127.0.0.1:9/' }) });
    expect([answer.status, ...codesOf(answer)]).toEqual([503, 'SERVICE_UNAVAILABLE']);
    expect((await down.query('{ __typename }')).status).toBe(200);
    await down.close();
  });
});

describe('the principal', () => {
  const secret = IDENTITY_SECRET;

  test('is asked of the users subgraph with a service identity, once for all who ask at a time', async () => {
    const asked: { body: unknown; roles: string[] }[] = [];
    const verifyIdentity = createIdentityVerifier(secret);
    const server = createServer((req, res) => {
      const parts: Buffer[] = [];
      req.on('data', (part: Buffer) => parts.push(part));
      req.on('end', () => {
        const body: unknown = JSON.parse(Buffer.concat(parts).toString());
        asked.push({ body, roles: verifyIdentity(req.headers[IDENTITY_HEADER]?.toString()).roles });
        res.end(JSON.stringify({ userId: 'usr_1', role: 'ADMIN', plan: 'plan_free', blocked: false }));
      });
    });
    const usersUrl = `${await listen(server)}/graphql`;
    const resolver = createUsersClient({ usersUrl, signIdentity: createIdentitySigner(secret) });
    const verify = createTokenVerifier([trusted(issuer)]);
    const recognition = createTokenRecognition({ verify, resolver });
    const { authenticate } = createAuthenticator({ token: recognition });
    const own = await startTestRouter(graph, { authenticate });
    const token = await issuer.sign({ email: 'a@example.com', scope: 'x' });
    const answers = await Promise.all([1, 2, 3, 4].map(() => own.query('{ who { userId roles scopes } }', { token })));
    for (const { data } of answers) expect(data).toEqual({ who: { userId: 'usr_1', roles: ['ADMIN'], scopes: ['x'] } });
    const body = {
      iss: ISSUER,
      sub: 'user-1',
      email: 'a@example.com',
      jti: expect.stringMatching('^sha256:'),
      sid: null,
    };
    expect(asked).toMatchObject([{ body, roles: ['service'] }]);

    server.close();
    server.closeAllConnections();
    expect((await own.query('{ who { userId } }', { token })).data).toEqual({ who: { userId: 'usr_1' } });
    const other = await own.query('{ who { userId } }', { token: await issuer.sign({ sub: 'other' }) });
    expect([other.status, ...codesOf(other)]).toEqual([503, 'SERVICE_UNAVAILABLE']);
    await own.close();
    await resolver.close();
  });

  test('that is blocked is refused', async () => {
    const blocked: ResolvedPrincipal = { userId: 'usr_1', roles: [], plan: null, blocked: true };
    const verify = createTokenVerifier([trusted(issuer)]);
    const token = createTokenRecognition({ verify, resolver: { resolve: () => Promise.resolve(blocked) } });
    const { authenticate } = createAuthenticator({ token });
    const request = requestOf(await issuer.sign());
    await expect(async () => authenticate(request)).rejects.toThrow(
      new AppError('FORBIDDEN', 'This account is blocked.'),
    );
  });
});
