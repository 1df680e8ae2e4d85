import { once } from 'node:events';
import { request } from 'node:http';
import { base64url, CompactEncrypt, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSocket } from '../testing/raw-socket.ts';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { AUDIENCE, createTestIssuer, ISSUER } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { codesOf, startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';

let graph: TestGraph;
let issuer: TestIssuer;
let router: TestRouter;
beforeAll(async () => {
  graph = await startTestGraph();
  issuer = await createTestIssuer();
  router = await startTestRouter(graph, { issuer });
});
afterAll(async () => {
  await router.close();
  await graph.close();
});

const WHO = '{ who { userId } }';
const now = () => Math.floor(Date.now() / 1000);
const claims = () => ({ iss: ISSUER, aud: AUDIENCE, sub: 'user-1', exp: now() + 300 });
const header = (more: object = {}) => JSON.stringify({ alg: 'ES256', kid: 'key-1', typ: 'at+jwt', ...more });
const payload = (more: object = {}) => JSON.stringify({ ...claims(), ...more });
const refused = (token: string) => router.query(WHO, { token });

test('what the cases change is what is refused', async () => {
  expect((await refused(issuer.signText(header(), payload()))).data).toEqual({ who: { userId: 'user-1' } });
});

describe.each<[string, () => Promise<string> | string, RegExp]>([
  // The header brings its own key, or says where one is.
  ['jku', () => issuer.signText(header({ jku: 'https://evil.test/keys' }), payload()), /"jku", which is not accepted/],
  ['x5u', () => issuer.signText(header({ x5u: 'https://evil.test/key' }), payload()), /"x5u"/],
  ['x5c', () => issuer.signText(header({ x5c: ['MIIB'] }), payload()), /"x5c"/],
  ['jwk: null', () => issuer.signText(header({ jwk: null }), payload()), /"jwk"/],
  // The header changes what the token is.
  ['crit', () => issuer.signText(header({ crit: ['exp'] }), payload()), /"crit"/],
  ['b64: false', () => issuer.signText(header({ crit: ['b64'], b64: false }), payload()), /"(crit|b64)"/],
  ['zip', () => issuer.signText(header({ zip: 'DEF' }), payload()), /"zip"/],
  [
    'cty, for a JWT inside',
    async () => issuer.signText(header({ cty: 'JWT' }), await issuer.sign()),
    /not a signed JWT|"cty"/,
  ],
  ['a JWT inside, without saying so', async () => issuer.signText(header(), await issuer.sign()), /not a signed JWT/],
  [
    'encrypted',
    async () => {
      const { publicKey } = await generateKeyPair('RSA-OAEP-256');
      return new CompactEncrypt(new TextEncoder().encode(await issuer.sign()))
        .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM', cty: 'JWT' })
        .encrypt(publicKey);
    },
    /encrypted/,
  ],
  // Algorithms.
  ...['none', 'None', 'NONE', 'HS256', 'ES384', 'RS256', 'es256', ''].map((alg): [string, () => string, RegExp] => [
    `alg ${JSON.stringify(alg)}`,
    () => issuer.signText(header({ alg }), payload()),
    /algorithm|not a signed JWT|unknown key/,
  ]),
  ['alg that is a list', () => issuer.signText(header({ alg: ['ES256'] }), payload()), /not a signed JWT|algorithm/],
  ['no alg', () => issuer.signText(JSON.stringify({ kid: 'key-1' }), payload()), /not a signed JWT|algorithm/],
  [
    'HS256 with the PEM of the public key',
    async () =>
      new SignJWT(claims())
        .setProtectedHeader({ alg: 'HS256', kid: 'key-1' })
        .sign(new TextEncoder().encode(await issuer.publicKeyPem())),
    /algorithm/,
  ],
  // Key ids.
  ...['../../../../dev/null', '/proc/self/environ', "' OR 1=1 --", 'key-1\0', ' key-1', 'KEY-1', '__proto__'].map(
    (kid): [string, () => string, RegExp] => [
      `kid ${JSON.stringify(kid)}`,
      () => issuer.signText(header({ kid }), payload()),
      /unknown key/,
    ],
  ),
  ['a huge kid', () => issuer.signText(header({ kid: 'k'.repeat(5_000) }), payload()), /key id/],
  ['a kid that is a list', () => issuer.signText(header({ kid: ['key-1'] }), payload()), /key id/],
  // JSON that can be read in two ways.
  ['a claim twice', () => issuer.signText(header(), payload().replace('{', '{"sub":"user-2",')), /not a signed JWT/],
  [
    'a claim twice, escaped',
    () => issuer.signText(header(), payload().replace('{', '{"s\\u0075b":"x",')),
    /not a signed JWT/,
  ],
  [
    'a claim twice, within a claim',
    () => issuer.signText(header(), payload({ a: [{ b: 1 }] }).replace('"b":1', '"b":1,"b":2')),
    /not a signed JWT/,
  ],
  ['a header twice', () => issuer.signText(header().replace('{', '{"alg":"none",'), payload()), /not a signed JWT/],
  ['a list', () => issuer.signText(header(), `[${payload()}]`), /not a signed JWT/],
  ['a mark before', () => issuer.signText(header(), `\uFEFF${payload()}`), /not a signed JWT/],
  [
    'text that is not UTF-8',
    () => {
      const [first, , last] = issuer.signText(header(), payload()).split('.');
      return `${first}.${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}.${last}`;
    },
    /not a signed JWT/,
  ],
  ['no JSON', () => issuer.signText(header(), 'sub=user-1'), /not a signed JWT/],
  // Another spelling of the same bytes.
  [
    'base64 for base64url',
    () => {
      const [first, second, last] = issuer.signText(header(), payload({ pad: '~~~???' })).split('.');
      return `${first}.${second?.replaceAll('-', '+').replaceAll('_', '/')}.${last}`;
    },
    /not a signed JWT/,
  ],
  ['padding', () => issuer.signText(header(), payload()).replace('.', '=.'), /not a signed JWT/],
  ['two segments', () => `${base64url.encode(header())}.${base64url.encode(payload())}`, /not a signed JWT/],
  ['four segments', () => `${issuer.signText(header(), payload())}.x`, /not a signed JWT/],
  ['empty segments', () => '..', /not a signed JWT/],
  // Tokens for something else.
  ['a logout token', () => issuer.signText(header({ typ: 'JWT' }), payload({ events: {} })), /not an access token/],
  ['typ logout+jwt', () => issuer.signText(header({ typ: 'logout+jwt' }), payload()), /not an access token/],
  [
    'typ that is no text',
    () => issuer.signText(header({ typ: ['at+jwt'] }), payload()),
    /not an access token|not a signed/,
  ],
  // Claims that mislead.
  ['iss that is a list', () => issuer.signText(header(), payload({ iss: [ISSUER] })), /issuer/],
  ['iss in another case', () => issuer.signText(header(), payload({ iss: ISSUER.toUpperCase() })), /issuer/],
  ['aud as a part of ours', () => issuer.signText(header(), payload({ aud: AUDIENCE.slice(0, -1) })), /audience/],
  ['aud that is nested', () => issuer.signText(header(), payload({ aud: [[AUDIENCE]] })), /audience/],
  ['exp that is text', () => issuer.signText(header(), payload({ exp: `${now() + 300}` })), /"exp"/],
  ['sub that is a number', () => issuer.signText(header(), payload({ sub: 1 })), /expected form/],
  ['an endless sub', () => issuer.signText(header(), payload({ sub: 'x'.repeat(2_000) })), /expected form/],
  ['scopes that are no text', () => issuer.signText(header(), payload({ scope: { admin: true } })), /expected form/],
  ['permissions that are text', () => issuer.signText(header(), payload({ permissions: 'a' })), /expected form/],
])('a token with %s', (_name, make, reason) => {
  test('is refused over HTTP and over a websocket, with the reason and no more', async () => {
    const token = await make();
    const answer = await refused(token);
    expect([answer.status, ...codesOf(answer)]).toEqual([401, 'UNAUTHENTICATED']);
    expect(answer.data).toBeUndefined();
    expect(answer.errors[0]?.message).toMatch(reason);
    expect(answer.text).not.toMatch(/evil\.test|node_modules| {4}at /);
    const socket = await openSocket(router.wsUrl);
    socket.say({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
    const { code, reason: told } = await socket.closed;
    expect(code).toBe(4403);
    expect(told).toBe(answer.errors[0]?.message);
  });
});

describe('very much', () => {
  test.each([
    [200_000, { code: 4403, reason: 'The token is longer than 16384 characters.' }],
    [1_000_000, { code: 1009, reason: '' }],
  ])('of token in a websocket is refused: %d characters', async (length, closed) => {
    const socket = await openSocket(router.wsUrl);
    socket.say({ type: 'connection_init', payload: { authorization: `Bearer ${'x'.repeat(length)}` } });
    expect(await socket.closed).toEqual(closed);
  });

  test('of token in a header is not read', async () => {
    const answer = await fetch(router.url, { headers: { authorization: `Bearer ${'x'.repeat(1_000_000)}` } }).then(
      ({ status }) => status,
      // The server has closed the connection before all of it was sent.
      () => 431,
    );
    expect(answer).toBe(431);
  });
});

describe('the header', () => {
  /** With header lines as they are; fetch would put them together. */
  async function send(...lines: [string, string][]): Promise<{ status: number; text: string }> {
    const body = JSON.stringify({ query: WHO });
    const headers = [
      ['host', 'x'],
      ['content-type', 'application/json'],
      ['content-length', String(body.length)],
      ...lines,
    ];
    const outgoing = request(router.url, { method: 'POST', headers: headers.flat() });
    outgoing.end(body);
    const [response] = await once(outgoing, 'response');
    let text = '';
    for await (const part of response) text += String(part);
    return { status: response.statusCode, text };
  }

  test('that comes twice is refused, whichever of them is good', async () => {
    const [good, other] = [await issuer.sign(), await issuer.sign({ sub: 'user-2' })];
    for (const [first, second] of [
      [good, other],
      [good, good],
      [good, 'x'],
      ['x', good],
    ]) {
      const { status, text } = await send(['Authorization', `Bearer ${first}`], ['authorization', `Bearer ${second}`]);
      expect(status).toBe(400);
      expect(text).toContain('"BAD_REQUEST"');
      expect(text).not.toContain('user-');
    }
    expect((await send(['AUTHORIZATION', `bearer   ${good}`])).text).toContain('user-1');
  });

  test.each([
    ['two tokens', (token: string) => `Bearer ${token} ${token}`],
    ['a tab', (token: string) => `Bearer\t${token}`],
    ['a colon', (token: string) => `Bearer: ${token}`],
    ['no scheme', (token: string) => token],
    ['no space', (token: string) => `Bearer${token}`],
    ['a scheme alone', () => 'Bearer'],
    ['another scheme', (token: string) => `Token ${token}`],
    ['quotes', (token: string) => `Bearer "${token}"`],
  ])('with %s is refused', async (_name, make) => {
    const { status, text } = await send(['authorization', make(await issuer.sign())]);
    expect(status).toBe(401);
    expect(text).toContain('"UNAUTHENTICATED"');
  });
});
