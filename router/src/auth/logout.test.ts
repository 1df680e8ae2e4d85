import { createServer } from 'node:http';
import { createIdentitySigner } from '@timbre/platform/identity';
import { createLogger } from '@timbre/platform/logger';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { listen } from '../testing/listen.ts';
import { createTestIssuer, ISSUER } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { trusted } from '../testing/test-router.ts';
import { IDENTITY_SECRET } from '../testing/test-subgraph.ts';
import { startUsersStandIn } from '../testing/users-stand-in.ts';
import type { UsersStandIn } from '../testing/users-stand-in.ts';
import { createLogoutHandler } from './logout-handler.ts';
import { createUsersClient } from './users-client.ts';
import { createLogoutVerifier } from './verify-logout-token.ts';

const CLIENT = 'client-1';
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const now = () => Math.floor(Date.now() / 1000);
let issuer: TestIssuer;
let users: UsersStandIn;
let url: string;
const closing: (() => unknown)[] = [];
let counter = 0;

beforeAll(async () => {
  issuer = await createTestIssuer();
  users = await startUsersStandIn();
  const client = createUsersClient({ usersUrl: users.url, signIdentity: createIdentitySigner(IDENTITY_SECRET) });
  const handle = createLogoutHandler({
    verify: createLogoutVerifier([{ ...trusted(issuer), logoutAudiences: [CLIENT] }]),
    users: client,
    log: createLogger({ name: 'test', level: 'silent' }),
  });
  const server = createServer((req, res) => void handle(req, res));
  url = await listen(server);
  closing.push(
    () => client.close(),
    () => users.close(),
    () => server.close(),
    () => server.closeAllConnections(),
  );
});
beforeEach(() => {
  users.logouts.length = 0;
  users.fails = false;
});
afterAll(async () => {
  for (const close of closing) await close();
});

/** A good logout token, but for what is overridden. */
const sign = (claims: Record<string, unknown> = {}, header: { alg?: string; kid?: string; typ?: string } = {}) =>
  issuer.sign(
    {
      aud: CLIENT,
      sid: 'sid-1',
      jti: `jti-${(counter += 1)}`,
      events: { [EVENT]: {} },
      scope: undefined,
      ...claims,
    },
    { typ: 'logout+jwt', ...header },
  );
async function send(token: string, init: RequestInit = {}) {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams({ logout_token: token }), ...init });
  const text = await response.text();
  return { status: response.status, cache: response.headers.get('cache-control'), text };
}

describe('a logout token', () => {
  test('ends the session that it names', async () => {
    expect(await send(await sign())).toEqual({ status: 200, cache: 'no-store', text: '' });
    expect(users.logouts).toMatchObject([{ iss: ISSUER, sub: 'user-1', sid: 'sid-1', iat: expect.any(Number) }]);
  });

  test('may name a subject alone, or a session alone, and be of the older type', async () => {
    expect((await send(await sign({ sid: undefined }))).status).toBe(200);
    expect((await send(await sign({ sub: undefined }, { typ: 'JWT' }))).status).toBe(200);
    expect(users.logouts).toMatchObject([
      { sub: 'user-1', sid: null },
      { sub: null, sid: 'sid-1' },
    ]);
  });

  test('counts once', async () => {
    const token = await sign();
    expect((await send(token)).status).toBe(200);
    const again = await send(token);
    expect(again).toMatchObject({ status: 400, cache: 'no-store' });
    expect(JSON.parse(again.text)).toEqual({
      error: 'invalid_request',
      error_description: 'The logout token was received before.',
    });
    expect(users.logouts).toHaveLength(1);
  });

  test('can be sent again when it could not be recorded', async () => {
    const token = await sign();
    users.fails = true;
    expect((await send(token)).status).toBe(503);
    users.fails = false;
    expect((await send(token)).status).toBe(200);
  });
});

test.each<[string, () => Promise<string> | string]>([
  ['is an access token', () => issuer.sign({ aud: CLIENT, jti: 'x' }, { typ: 'at+jwt' })],
  ['is for the API', () => sign({ aud: 'https://api.test' })],
  ['is from somebody else', () => sign({ iss: 'https://evil.test/' })],
  ['has a nonce, as an ID token', () => sign({ nonce: 'n' })],
  ['has no event', () => sign({ events: undefined })],
  ['has another event', () => sign({ events: { 'http://schemas.openid.net/event/other': {} } })],
  ['has an event that is no object', () => sign({ events: { [EVENT]: true } })],
  ['has a list of events', () => sign({ events: [EVENT] })],
  ['names nobody', () => sign({ sub: undefined, sid: undefined })],
  ['has no id', () => sign({ jti: undefined })],
  ['has no time', () => sign({ iat: undefined })],
  ['has no end', () => sign({ exp: undefined })],
  ['has ended', () => sign({ exp: now() - 60 })],
  ['is old', () => sign({ iat: now() - 3_600 })],
  ['is from the future', () => sign({ iat: now() + 3_600, exp: now() + 7_200 })],
  ['is of another type', () => sign({}, { typ: 'id+jwt' })],
  ['is signed by an unknown key', () => sign({}, { kid: 'no' })],
  ['is not signed', () => `${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.`],
  ['is no token', () => 'hello'],
  ['is nothing', () => ''],
  ['is endless', () => 'x'.repeat(30_000)],
])('a token that %s ends nothing', async (_name, make) => {
  const answer = await send(await make());
  expect([answer.status, answer.cache]).toEqual([400, 'no-store']);
  expect(JSON.parse(answer.text)).toMatchObject({ error: 'invalid_request' });
  expect(users.logouts).toEqual([]);
});

test.each<[string, number, (token: string) => RequestInit]>([
  ['GET', 405, () => ({ method: 'GET', body: null })],
  [
    'JSON',
    415,
    (token) => ({ body: JSON.stringify({ logout_token: token }), headers: { 'content-type': 'application/json' } }),
  ],
  [
    'two tokens',
    400,
    (token) => ({
      body: new URLSearchParams([
        ['logout_token', token],
        ['logout_token', token],
      ]),
    }),
  ],
  ['another form', 400, (token) => ({ body: new URLSearchParams({ token }) })],
  ['a megabyte', 413, () => ({ body: new URLSearchParams({ logout_token: 'x'.repeat(1_000_000) }) })],
])('%s is refused', async (_name, status, init) => {
  const token = await sign();
  expect((await send(token, init(token))).status).toBe(status);
  expect(users.logouts).toEqual([]);
});
