import { revocations as kept, users } from '@timbre/db/users/tables';
import { channels } from '@timbre/platform/bus/hints';
import { createRedisBus } from '@timbre/platform/bus/redis-bus';
import { newId } from '@timbre/platform/ids';
import { createLogger } from '@timbre/platform/logger';
import { PRINCIPAL_PATH, principalSchema } from '@timbre/platform/principal';
import {
  LOGOUT_PATH,
  logoutSchema,
  REVOCATIONS_PATH,
  type Revocation,
  revocationsSchema,
} from '@timbre/platform/revocation';
import { redisMissing, startRedis } from '@timbre/platform/testing/redis';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { relayRevocations } from './services/relay-revocations.ts';
import { startTestUsers, TEST_ISSUER, tokenCredential, type TestUsers } from './testing/test-users.ts';

const END = 'mutation ($everywhere: Boolean!) { endSession(everywhere: $everywhere) { endedAt errors { code } } }';

let server: TestUsers;
let subject: string;
let userId: string;
beforeAll(async () => {
  server = await startTestUsers();
});
beforeEach(async () => {
  subject = newId('usr');
  userId = await server.userOf(subject);
});
afterAll(() => server.close());

const now = () => Math.floor(Date.now() / 1000);
const isRevoked = async (token: { jti?: string; sid?: string; iat?: number; iss?: string; sub?: string }) => {
  const answer = await server.askAsRouter(PRINCIPAL_PATH, { iss: TEST_ISSUER, sub: subject, iat: now(), ...token });
  return principalSchema.parse(answer).revoked;
};
const end = async (credential: object, everywhere = false) =>
  (await server.ask({ userId, credential: tokenCredential(credential) }, END, { everywhere })).data?.['endSession'];
const logout = async (more: object) =>
  logoutSchema.parse(
    await server.askAsRouter(LOGOUT_PATH, {
      iss: TEST_ISSUER,
      sub: null,
      sid: null,
      iat: now(),
      exp: now() + 120,
      jti: newId('evt'),
      ...more,
    }),
  );
const revocationsSince = async (since: string | null) =>
  revocationsSchema.parse(await server.askAsRouter(REVOCATIONS_PATH, { since }));
/** Resolves at the next hint; what it is of is then to be asked. */
const hint = async () => {
  const heard = Promise.withResolvers<void>();
  const stop = await server.bus.subscribe(channels.revocations, () => heard.resolve());
  return { heard: heard.promise.then(stop) };
};

describe('endSession', () => {
  it('ends all tokens of the session, and no other', async () => {
    const { heard } = await hint();
    expect(await end({ id: 'jti-a', session: 'sid-a' })).toEqual({ endedAt: expect.any(String), errors: [] });
    await heard;
    expect(await isRevoked({ jti: 'jti-a', sid: 'sid-a' })).toBe(true);
    expect(await isRevoked({ jti: 'jti-b', sid: 'sid-a' })).toBe(true);
    expect(await isRevoked({ jti: 'jti-a', sid: 'sid-b' })).toBe(false);
    expect(await isRevoked({ sid: 'sid-a', iss: 'https://other.example/' })).toBe(false);
  });

  it('ends a token that is of no session', async () => {
    await end({ id: 'jti-c' });
    expect(await isRevoked({ jti: 'jti-c' })).toBe(true);
    expect(await isRevoked({ jti: 'jti-d' })).toBe(false);
    expect(await isRevoked({})).toBe(false);
  });

  it('everywhere ends what was issued so far, of this subject at this issuer', async () => {
    await end({ id: 'jti-e' }, true);
    expect(await isRevoked({ jti: 'jti-f', iat: now() - 10 })).toBe(true);
    expect(await isRevoked({ jti: 'jti-f', sid: 'sid-f', iat: now() - 86_400 })).toBe(true);
    expect(await isRevoked({ jti: 'jti-g', iat: now() + 1 })).toBe(false);
    expect(await isRevoked({ jti: 'jti-f', iat: now() - 10, sub: 'somebody else' })).toBe(false);
    expect(await isRevoked({ jti: 'jti-f', iat: now() - 10, iss: 'https://other.example/' })).toBe(false);
    const answer = await server.askAsRouter(PRINCIPAL_PATH, { iss: TEST_ISSUER, sub: subject });
    expect(principalSchema.parse(answer).revoked, 'a token that does not say when it was issued').toBe(true);
  });

  it('twice is as once', async () => {
    await end({ id: 'jti-h', session: 'sid-h' }, true);
    expect((await end({ id: 'jti-h', session: 'sid-h' }, true)).errors).toEqual([]);
  });

  it('is not for keys, nor for who is not told of any token', async () => {
    const errors = [{ code: 'NO_SESSION' }];
    expect(await end({ kind: 'key', id: newId('key') }, true)).toEqual({ endedAt: null, errors });
    const { data } = await server.ask({ userId }, END, { everywhere: true });
    expect(data?.['endSession']).toEqual({ endedAt: null, errors });
    expect(await isRevoked({ jti: 'x', iat: now() - 10 })).toBe(false);
  });
});

describe('a logout at the issuer', () => {
  it('ends the session that it names, and only that', async () => {
    const { heard } = await hint();
    expect(await logout({ sid: 'sid-i', sub: subject })).toEqual({ replayed: false });
    await heard;
    expect(await isRevoked({ sid: 'sid-i' })).toBe(true);
    expect(await isRevoked({ sid: 'sid-j', iat: now() - 10 })).toBe(false);
  });

  it('of a subject ends what was issued until then', async () => {
    await logout({ sub: subject, iat: now() - 100 });
    expect(await isRevoked({ iat: now() - 101 })).toBe(true);
    expect(await isRevoked({ iat: now() - 99 })).toBe(false);
  });

  it('counts once', async () => {
    const jti = newId('evt');
    const all = await Promise.all([1, 2, 3].map(() => logout({ sub: subject, jti })));
    expect(all.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(await logout({ sub: subject, jti, iss: 'https://other.example/' })).toEqual({ replayed: false });
  });

  it('that comes late does not bring back what a later one has ended', async () => {
    await logout({ sub: subject, iat: now() - 10 });
    await logout({ sub: subject, iat: now() - 100 });
    expect(await isRevoked({ iat: now() - 50 })).toBe(true);
  });
});

describe('a block', () => {
  const BLOCK = 'mutation ($id: ID!, $on: Boolean!) { blockUser(id: $id, blocked: $on) { blockedAt errors { code } } }';
  const staff = { userId: newId('usr'), scopes: ['admin:users'] };

  it('holds until it is lifted', async () => {
    const { heard } = await hint();
    const { data } = await server.ask(staff, BLOCK, { id: userId, on: true });
    expect(data?.['blockUser']).toEqual({ blockedAt: expect.any(String), errors: [] });
    await heard;
    const blocked = async () =>
      principalSchema.parse(await server.askAsRouter(PRINCIPAL_PATH, { iss: TEST_ISSUER, sub: subject })).blocked;
    expect(await blocked()).toBe(true);
    expect((await server.ask(staff, BLOCK, { id: userId, on: true })).data).toEqual(data);
    await server.ask(staff, BLOCK, { id: userId, on: false });
    expect(await blocked()).toBe(false);
  });

  it("is the staff's affair, whatever the router lets through", async () => {
    const answer = await server.ask({ userId: newId('usr'), scopes: ['profile:write'] }, BLOCK, {
      id: userId,
      on: true,
    });
    expect(answer.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
    const principal = await server.askAsRouter(PRINCIPAL_PATH, { iss: TEST_ISSUER, sub: subject });
    expect(principalSchema.parse(principal).blocked).toBe(false);
  });

  it('of nobody is an error', async () => {
    for (const id of [newId('usr'), 'usr_\u0000']) {
      const { data } = await server.ask(staff, BLOCK, { id, on: true });
      expect(data?.['blockUser']).toEqual({ blockedAt: null, errors: [{ code: 'USER_NOT_FOUND' }] });
    }
  });
});

describe('a change of what somebody may', () => {
  const setRole = async (role: 'USER' | 'SUPPORT') =>
    server.database.db.update(users).set({ role }).where(eq(users.id, userId));
  const told = async (since: string) => {
    const { revocations } = await revocationsSince(since);
    return revocations?.some(({ kind, value }) => kind === 'user' && value === userId);
  };

  it('is told of by the database itself, each time', async () => {
    for (const role of ['SUPPORT', 'USER', 'SUPPORT'] as const) {
      const { heard } = await hint();
      await setRole(role);
      await heard;
      expect(await told(new Date().toISOString())).toBe(true);
      await server.database.db.delete(kept);
    }
    await setRole('SUPPORT');
    await server.database.db.update(users).set({ displayName: 'Ann' }).where(eq(users.id, userId));
    expect(await told(new Date().toISOString()), 'nothing has changed').toBe(false);
  });

  it.skipIf(redisMissing !== null)('reaches a bus that is not the database', async () => {
    const redis = await startRedis();
    const log = createLogger({ name: 'users-test', level: 'silent' });
    const [bus, far] = [createRedisBus({ url: redis.url, log }), createRedisBus({ url: redis.url, log })];
    const relay = relayRevocations({ from: server.bus, to: bus, log });
    let hints = 0;
    await far.subscribe(channels.revocations, () => (hints += 1));
    await setRole('SUPPORT');
    await expect.poll(() => hints).toBeGreaterThan(0);
    await relay.close();
    await Promise.all([bus.close(), far.close()]);
    await redis.stop();
  });
});

describe('what routers are told', () => {
  const has = (revocations: Revocation[] | null, revocation: Revocation) =>
    expect(revocations).toContainEqual(revocation);

  it('is everything that ends something, however it came about', async () => {
    const { now: since } = await revocationsSince(null);
    await end({ id: newId('evt'), session: `sid ${subject}` }, true);
    await end({ id: `jti ${subject}` });
    await server.database.db.update(users).set({ blockedAt: new Date() }).where(eq(users.id, userId));
    const { revocations } = await revocationsSince(since);
    has(revocations, { kind: 'session', issuer: TEST_ISSUER, value: `sid ${subject}` });
    has(revocations, { kind: 'token', issuer: TEST_ISSUER, value: `jti ${subject}` });
    has(revocations, { kind: 'subject', issuer: TEST_ISSUER, value: subject });
    has(revocations, { kind: 'user', issuer: '', value: userId });
    expect(revocations?.some(({ value }) => value.startsWith('evt_'))).toBe(false);
  });

  it('is nothing that was told long ago', async () => {
    const later = new Date(Date.now() + 3_600_000).toISOString();
    expect((await revocationsSince(later)).revocations).toEqual([]);
    expect((await revocationsSince(null)).revocations).toEqual([]);
  });
});
