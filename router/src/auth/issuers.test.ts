import { createLogger } from '@timbre/platform/logger';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { JSONWebKeySet } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSocket } from '../testing/raw-socket.ts';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { AUDIENCE, createTestIssuer, ISSUER } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { codesOf, startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import { startAuthentication } from './start-authentication.ts';
import type { IssuerSettings } from './start-authentication.ts';
import { ALGORITHMS } from './trusted-issuer.ts';

const log = createLogger({ name: 'test', level: 'silent' });
const OTHER = 'https://other.test/';
const APP = 'https://app.example.com';
let graph: TestGraph;
let a: TestIssuer;
let b: TestIssuer;
let router: TestRouter;

const authenticateBy = (issuers: IssuerSettings[]) =>
  startAuthentication({ issuers, users: null, bus: null, log }).authenticate;

beforeAll(async () => {
  graph = await startTestGraph();
  a = await createTestIssuer();
  b = await createTestIssuer();
  router = await startTestRouter(graph, {
    cors: { origins: [APP] },
    authenticate: authenticateBy([
      { issuer: ISSUER, audiences: ['https://first.test', AUDIENCE], jwks: a.jwks },
      {
        issuer: OTHER,
        audiences: ['other-api'],
        jwks: b.jwks,
        sources: [
          { header: 'X-Session', prefix: null },
          { header: 'authorization', prefix: 'Other' },
          { cookie: 'session' },
        ],
        claims: {
          scopes: ['scp', 'scope'],
          permissions: 'rights',
          roles: 'https://timbre.test/roles',
          email: ['https://timbre.test/email'],
        },
      },
    ]),
  });
});
afterAll(async () => {
  await router.close();
  await graph.close();
});

const WHO = '{ who { userId scopes roles } }';
const ofA = (claims: object = {}) => a.sign({ ...claims });
const ofB = (claims: object = {}) => b.sign({ iss: OTHER, aud: 'other-api', ...claims });
const ask = (headers: Record<string, string>) => router.query(WHO, { headers });
const whoOf = async (headers: Record<string, string>) => (await ask(headers)).data?.['who'];

describe('two issuers', () => {
  test('are trusted for their own tokens, each with its audiences', async () => {
    expect(await whoOf({ authorization: `Bearer ${await ofA()}` })).toMatchObject({ userId: `${ISSUER}|user-1` });
    expect(await whoOf({ authorization: `Bearer ${await ofA({ aud: 'https://first.test' })}` })).toBeTruthy();
    expect((await ask({ authorization: `Bearer ${await ofA({ aud: 'other-api' })}` })).status).toBe(401);
    expect((await ask({ 'x-session': await ofB({ aud: AUDIENCE }) })).status).toBe(401);
  });

  test('have no subject in common', async () => {
    expect(await whoOf({ 'x-session': await ofB() })).toMatchObject({ userId: `${OTHER}|user-1` });
  });

  test('cannot sign for each other', async () => {
    const mixed = [
      { authorization: `Bearer ${await b.sign()}` },
      { 'x-session': await a.sign({ iss: OTHER, aud: 'other-api' }) },
      { authorization: `Bearer ${await b.sign({ iss: [ISSUER, OTHER] })}` },
    ];
    for (const headers of mixed) {
      const answer = await ask(headers);
      expect([answer.status, ...codesOf(answer)]).toEqual([401, 'UNAUTHENTICATED']);
    }
  });

  test('are looked for each in its own places', async () => {
    const [first, second] = [await ofA(), await ofB()];
    for (const headers of [
      { authorization: `Bearer ${second}` },
      { 'x-session': first },
      { authorization: `Other ${first}` },
      { cookie: `session=${first}` },
    ]) {
      expect((await ask(headers)).status, JSON.stringify(Object.keys(headers))).toBe(401);
    }
    for (const headers of [
      { 'x-session': second },
      { authorization: `other ${second}` },
      { cookie: `a=b; session=${second}` },
      { cookie: `session="${second}"` },
    ]) {
      expect((await ask(headers)).status).toBe(200);
    }
    // What was good in one place is remembered for that place.
    expect((await ask({ authorization: `Bearer ${second}` })).status).toBe(401);
  });

  test('are not both asked: two credentials are one too many', async () => {
    const [first, second] = [await ofA(), await ofB()];
    for (const headers of [
      { authorization: `Bearer ${first}`, 'x-session': second },
      { authorization: `Bearer ${first}`, cookie: `session=${second}` },
      { 'x-session': second, cookie: `session=${await ofB({ sub: 'user-2' })}` },
      { cookie: `session=${second}; session=${await ofB({ sub: 'user-2' })}` },
      { 'x-session': `${second}, ${second}` },
    ]) {
      const answer = await ask(headers);
      expect([answer.status, ...codesOf(answer)]).toEqual([400, 'BAD_REQUEST']);
    }
    expect((await ask({ 'x-session': second, cookie: `session=${second}` })).status).toBe(200);
  });
});

describe('claims', () => {
  const whoIs = async (claims: object) => whoOf({ 'x-session': await ofB(claims) });

  test('are read by the names that the issuer has for them', async () => {
    expect(await whoIs({ scp: ['a', 'b'], scope: 'c' })).toMatchObject({ scopes: ['a', 'b'] });
    expect(await whoIs({ scope: 'a  b', rights: ['b', 'c'] })).toMatchObject({ scopes: ['b'] });
    expect(await whoIs({ scope: 'a', permissions: [] })).toMatchObject({ scopes: ['a'] });
  });

  test('give roles only by a namespaced name, and never the system’s', async () => {
    const roles = ['editor', 'service'];
    expect(await whoIs({ 'https://timbre.test/roles': roles })).toMatchObject({ roles: ['editor'] });
    expect(await whoIs({ roles })).toMatchObject({ roles: [] });
    expect(
      await whoOf({ authorization: `Bearer ${await ofA({ 'https://timbre.test/roles': roles, roles })}` }),
    ).toMatchObject({
      roles: [],
    });
  });

  test('that are no e-mail address spoil nothing', async () => {
    for (const email of ['', 5, 'x'.repeat(500)])
      expect(await whoOf({ authorization: `Bearer ${await ofA({ email })}` })).toBeTruthy();
  });

  test.each([
    ['Auth0', { gty: 'client-credentials', sub: 'abc@clients' }],
    ['RFC 9068', { sub: 'abc', client_id: 'abc' }],
    ['Entra', { idtyp: 'app' }],
  ])('of a machine give what its scope says (%s)', async (_name, claims) => {
    expect(await whoIs({ scope: 'a b', rights: ['a'], ...claims })).toMatchObject({ scopes: ['a', 'b'] });
    expect(await whoIs({ scope: 'a b', rights: ['a'] })).toMatchObject({ scopes: ['a'] });
  });
});

describe('a cookie', () => {
  test('counts only in what no foreign page can make a browser send', async () => {
    const cookie = `session=${await ofB()}`;
    const send = (headers: Record<string, string>, body = JSON.stringify({ query: WHO })) =>
      fetch(router.url, { method: 'POST', headers: { cookie, ...headers }, body });
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const answer = await send({ 'content-type': type });
      expect(await answer.text()).not.toContain('user-1');
      expect(answer.ok).toBe(false);
    }
    const get = (headers: Record<string, string>) =>
      fetch(`${router.url}?query=${encodeURIComponent(WHO)}`, { headers: { cookie, ...headers } });
    const simple = await get({});
    expect(simple.status).toBe(400);
    expect(await simple.text()).toContain('"CSRF_PREVENTION"');
    expect(await (await get({ 'apollo-require-preflight': 'yes' })).text()).toContain('user-1');
    expect(await (await send({ 'content-type': 'application/json' })).text()).toContain('user-1');
  });

  test('counts on a websocket that a page of ours has opened, and on no other', async () => {
    const cookie = `session=${await ofB()}`;
    const open = async (origin: string | undefined) => {
      const socket = await openSocket(router.wsUrl, undefined, { headers: { cookie }, ...(origin && { origin }) });
      socket.say({ type: 'connection_init' });
      const outcome = await Promise.race([socket.closed, socket.hear('connection_ack').catch(() => null)]);
      socket.socket.terminate();
      return outcome;
    };
    const own = new URL(router.url).origin;
    for (const origin of [APP, own, undefined]) expect(await open(origin)).toEqual({ type: 'connection_ack' });
    for (const origin of ['https://evil.test', 'null', `${APP}.evil.test`, APP.replace('https', 'http')]) {
      expect(await open(origin), origin).toMatchObject({ code: 4403 });
    }
  });

  test('is the browser’s to send: the payload of connection_init is none', async () => {
    const socket = await openSocket(router.wsUrl, undefined, { origin: 'https://evil.test' });
    socket.say({ type: 'connection_init', payload: { cookie: `session=${await ofB()}` } });
    await socket.hear('connection_ack');
    socket.say({ id: '1', type: 'subscribe', payload: { query: WHO } });
    expect(await socket.hear('next')).toMatchObject({ payload: { data: { who: { userId: null } } } });
    socket.socket.terminate();
  });

  test('and a token in the payload are two credentials', async () => {
    const socket = await openSocket(router.wsUrl, undefined, { headers: { cookie: `session=${await ofB()}` } });
    socket.say({ type: 'connection_init', payload: { authorization: `Bearer ${await ofA()}` } });
    expect(await socket.closed).toMatchObject({ code: 4403, reason: expect.stringContaining('More than one') });
  });
});

test('each algorithm is good for those who are trusted with it, and for nobody else', async () => {
  for (const alg of ALGORITHMS) {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const jwks: JSONWebKeySet = { keys: [{ ...(await exportJWK(publicKey)), kid: 'k', use: 'sig' }] };
    const token = await new SignJWT({ iss: ISSUER, aud: AUDIENCE, sub: 'u' })
      .setProtectedHeader({ alg, kid: 'k' })
      .setExpirationTime('5m')
      .sign(privateKey);
    const request = { headers: { authorization: `Bearer ${token}` }, requestId: 'id', mayBeForeign: () => false };
    const settings = { issuer: ISSUER, audiences: [AUDIENCE], jwks };
    expect(await authenticateBy([{ ...settings, algorithms: [alg] }])(request)).toMatchObject({ userId: 'u' });
    const others = ALGORITHMS.filter((other) => other !== alg && !(alg.startsWith('Ed') && other.startsWith('Ed')));
    const refusing = authenticateBy([{ ...settings, algorithms: others }]);
    await expect(async () => refusing(request)).rejects.toThrow(/algorithm/);
  }
});

test.each<[string, IssuerSettings[], RegExp]>([
  ['the same issuer twice', [1, 2].map(() => ({ issuer: ISSUER, audiences: ['a'] })), /twice/],
  ['no audience', [{ issuer: ISSUER, audiences: [] }], /no audience/],
  [
    'a symmetric algorithm',
    [{ issuer: ISSUER, audiences: ['a'], algorithms: JSON.parse('["HS256"]') }],
    /HS256 is none of/,
  ],
  [
    'roles by a name that anybody may set',
    [{ issuer: ISSUER, audiences: ['a'], claims: { roles: 'roles' } }],
    /namespaced/,
  ],
])('%s is not accepted', (_name, issuers, reason) => {
  expect(() => authenticateBy(issuers)).toThrow(reason);
});
