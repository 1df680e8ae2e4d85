import { createApiKeys } from '@timbre/platform/api-key';
import { createIdentitySigner } from '@timbre/platform/identity';
import { newId } from '@timbre/platform/ids';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openSocket } from '../testing/raw-socket.ts';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { createTestIssuer } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { codesOf, startTestRouter, trusted } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import { IDENTITY_SECRET } from '../testing/test-subgraph.ts';
import { until } from '../testing/until.ts';
import { startUsersStandIn } from '../testing/users-stand-in.ts';
import type { UsersStandIn } from '../testing/users-stand-in.ts';
import { createAuthenticator } from './authenticator.ts';
import { createKeyRecognition } from './recognize-key.ts';
import { createTokenRecognition } from './recognize-token.ts';
import { createUsersClient } from './users-client.ts';
import type { UsersClient } from './users-client.ts';
import { createTokenVerifier } from './verify-token.ts';

const keys = createApiKeys(IDENTITY_SECRET);
const WHO = '{ who { userId scopes roles } }';
let graph: TestGraph;
let issuer: TestIssuer;
let users: UsersStandIn;
let client: UsersClient;
let router: TestRouter;
/** Unix milliseconds, for the router. */
let at = Date.now();

beforeAll(async () => {
  graph = await startTestGraph();
  issuer = await createTestIssuer();
  users = await startUsersStandIn();
  client = createUsersClient({ usersUrl: users.url, signIdentity: createIdentitySigner(IDENTITY_SECRET) });
  const { authenticate } = createAuthenticator({
    token: createTokenRecognition({ verify: createTokenVerifier([trusted(issuer)]), resolver: client }),
    key: createKeyRecognition({ keys, ask: client.keyOwner }),
    now: () => at,
  });
  router = await startTestRouter(graph, { authenticate });
});
beforeEach(() => {
  at = Date.now();
  users.fails = false;
});
afterAll(async () => {
  await router.close();
  await client.close();
  users.close();
  await graph.close();
});

function newKey(more: { scopes?: string[]; expiresAt?: number } = {}) {
  const id = newId('key');
  users.keys.set(id, { userId: 'usr_1', plan: 'plan_pro', scopes: ['a'], blocked: false, expiresAt: null, ...more });
  return { id, key: keys.mint(id).key };
}
const ask = (headers: Record<string, string>) => router.query(WHO, { headers });
/** How many questions it takes. */
async function questions(run: () => Promise<unknown>): Promise<number> {
  const before = users.asked.length;
  await run();
  return users.asked.length - before;
}

test('a key is somebody, with its own scopes and no role', async () => {
  const { key } = newKey({ scopes: ['a', 'b'] });
  for (const headers of [{ authorization: `Bearer ${key}` }, { 'X-API-Key': key }]) {
    const answer = await ask(headers);
    expect(answer.data).toEqual({ who: { userId: 'usr_1', scopes: ['a', 'b'], roles: [] } });
  }
  const both = await ask({ authorization: `Bearer ${key}`, 'X-API-Key': key });
  expect(both.status, 'the same twice').toBe(200);
});

test('a key beside something else is one credential too many', async () => {
  const [{ key }, { key: other }] = [newKey(), newKey()];
  for (const headers of [
    { authorization: `Bearer ${await issuer.sign()}`, 'x-api-key': key },
    { authorization: `Bearer ${other}`, 'x-api-key': key },
    { 'x-api-key': `${key}, ${other}` },
  ]) {
    const answer = await ask(headers);
    expect([answer.status, ...codesOf(answer)]).toEqual([400, 'BAD_REQUEST']);
  }
});

describe('who a key belongs to', () => {
  test('is asked once for all who come at the same time, and again after five seconds at most', async () => {
    const { key } = newKey();
    const some = () => Promise.all(Array.from({ length: 20 }, () => ask({ 'x-api-key': key })));
    expect(await questions(some)).toBe(1);
    at += 3_900;
    expect(await questions(some)).toBe(0);
    at += 1_100;
    expect(await questions(some)).toBe(1);
  });

  test('is asked at different times of those that came at the same', async () => {
    const all = Array.from({ length: 30 }, () => newKey().key);
    const some = () => Promise.all(all.map((key) => ask({ 'x-api-key': key })));
    expect(await questions(some)).toBe(30);
    at += 4_500;
    const asked = await questions(some);
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThan(30);
  });

  test('is what it was for a little while when nobody can be asked', async () => {
    const { key } = newKey();
    expect((await ask({ 'x-api-key': key })).status).toBe(200);
    users.fails = true;
    at += 6_000;
    expect((await ask({ 'x-api-key': key })).status).toBe(200);
    at += 31_000;
    const answer = await ask({ 'x-api-key': key });
    expect([answer.status, ...codesOf(answer)]).toEqual([503, 'SERVICE_UNAVAILABLE']);
    expect((await ask({ 'x-api-key': newKey().key })).status).toBe(503);
    users.fails = false;
    expect((await ask({ 'x-api-key': key })).status).toBe(200);
  });

  test('changes with the key', async () => {
    const { id, key } = newKey();
    expect((await ask({ 'x-api-key': key })).data).toMatchObject({ who: { scopes: ['a'] } });
    users.keys.set(id, { userId: 'usr_1', plan: null, scopes: [], blocked: false, expiresAt: null });
    at += 5_001;
    expect((await ask({ 'x-api-key': key })).data).toMatchObject({ who: { scopes: [] } });
    users.keys.delete(id);
    at += 5_001;
    expect((await ask({ 'x-api-key': key })).status).toBe(401);
  });
});

describe('guessing', () => {
  test('costs no question: what was never given out is seen here', async () => {
    const { key } = newKey();
    const guesses = [
      ...Array.from({ length: 30 }, (_, i) => key.slice(0, -16) + i.toString(16).padStart(16, '0')),
      `${key}0`,
      key.slice(0, -1),
      key.toUpperCase(),
      key.replace('tk_live_', 'tk_test_'),
      'tk_live_',
      `tk_live_${'0'.repeat(15_000)}`,
      createApiKeys('the secret of somebody else, long enough').mint(newId('key')).key,
    ];
    const count = await questions(async () => {
      for (const guess of guesses) {
        const answer = await ask({ 'x-api-key': guess });
        expect([answer.status, ...codesOf(answer)]).toEqual([401, 'UNAUTHENTICATED']);
        expect(answer.text).not.toContain(guess.slice(0, 60));
      }
    });
    expect(count).toBe(0);
  });

  test('with a key that was given out once costs one question in a while', async () => {
    const key = keys.mint(newId('key')).key;
    const count = await questions(async () => {
      for (let i = 0; i < 20; i += 1) expect((await ask({ 'x-api-key': key })).status).toBe(401);
    });
    expect(count).toBe(1);
  });
});

test('a stream ends with its key', async () => {
  const { key } = newKey({ expiresAt: Math.floor(Date.now() / 1000) + 2 });
  const socket = await openSocket(router.wsUrl);
  socket.say({ type: 'connection_init', payload: { 'X-API-Key': key } });
  await socket.hear('connection_ack');
  socket.say({ id: '1', type: 'subscribe', payload: { query: 'subscription { changes { sequence } }' } });
  expect(await socket.hear('error')).toMatchObject({
    payload: [{ extensions: { code: 'SUBSCRIPTION_AUTH_EXPIRED' } }],
  });
  socket.socket.terminate();
});

describe('a websocket', () => {
  async function connect(key: string) {
    const socket = await openSocket(router.wsUrl);
    socket.say({ type: 'connection_init', payload: { 'X-API-Key': key } });
    await socket.hear('connection_ack');
    return socket;
  }
  const changed = { userId: 'usr_1', plan: 'plan_pro', blocked: false, expiresAt: null };

  test('goes by what its key stands for by now', async () => {
    const { id, key } = newKey();
    const socket = await connect(key);
    const who = async (operation: string) => {
      socket.say({ id: operation, type: 'subscribe', payload: { query: WHO } });
      return socket.hear('next');
    };
    expect(await who('1')).toMatchObject({ payload: { data: { who: { scopes: ['a'] } } } });
    users.keys.set(id, { ...changed, scopes: ['a', 'b'] });
    at += 5_001;
    expect(await who('2')).toMatchObject({ payload: { data: { who: { scopes: ['a', 'b'] } } } });
    users.fails = true;
    at += 31_000;
    socket.say({ id: '3', type: 'subscribe', payload: { query: WHO } });
    expect(await socket.hear('error')).toMatchObject({ payload: [{ extensions: { code: 'SERVICE_UNAVAILABLE' } }] });
    socket.socket.terminate();
  });

  test('ends with its streams where that has become less', async () => {
    const { id, key } = newKey({ scopes: ['a', 'b'] });
    const socket = await connect(key);
    socket.say({ id: '1', type: 'subscribe', payload: { query: 'subscription { changes { sequence } }' } });
    await until(() => graph.openStreams() > 0);
    users.keys.set(id, { ...changed, scopes: ['a', 'b'], plan: 'plan_free' });
    at += 5_001;
    expect((await ask({ 'x-api-key': key })).status).toBe(200);
    expect(socket.messages.filter(({ type }) => type === 'error')).toEqual([]);
    users.keys.set(id, { ...changed, scopes: ['b'] });
    at += 5_001;
    expect((await ask({ 'x-api-key': key })).status).toBe(200);
    expect(await socket.hear('error')).toMatchObject({
      payload: [{ extensions: { code: 'SUBSCRIPTION_AUTH_REVOKED' } }],
    });
    expect((await socket.closed).code).toBe(4403);
  });
});

test('where there are no keys, none is accepted', async () => {
  const { authenticate } = createAuthenticator({
    token: createTokenRecognition({ verify: createTokenVerifier([trusted(issuer)]), resolver: null }),
  });
  const request = { headers: { authorization: `Bearer ${newKey().key}` }, requestId: 'id', mayBeForeign: () => false };
  await expect(async () => authenticate(request)).rejects.toThrow(/not accepted/);
});
