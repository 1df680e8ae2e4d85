import { apiKeys, users } from '@timbre/db/users/tables';
import { API_KEY_PATH, apiKeyPrincipalSchema } from '@timbre/platform/api-key';
import { newId } from '@timbre/platform/ids';
import { REVOCATIONS_PATH, revocationsSchema } from '@timbre/platform/revocation';
import { signedIdentity } from '@timbre/platform/testing/caller';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MAX_KEYS } from './services/create-api-key.ts';
import { startTestUsers, tokenCredential, type TestUsers } from './testing/test-users.ts';

const CREATE = /* GraphQL */ `
  mutation ($input: CreateApiKeyInput!) {
    createApiKey(input: $input) {
      apiKey {
        id
        name
        prefix
        scopes
        monthlyCreditLimit
        expiresAt
        lastUsedAt
        revokedAt
      }
      secret
      errors {
        code
        path
      }
    }
  }
`;
const LIST =
  '{ me { apiKeys(first: 2) { edges { node { id lastUsedAt revokedAt } } pageInfo { hasNextPage endCursor } } } }';
const REVOKE =
  'mutation ($id: ID!) { revokeApiKey(id: $id) { apiKey { id revokedAt } revokedKeys errors { code path } } }';
const SCOPES = ['keys:manage', 'voices:read', 'tts:write'];

let server: TestUsers;
/** Somebody new for every test. */
let owner: { userId: string; scopes: string[] };
beforeAll(async () => {
  server = await startTestUsers();
});
beforeEach(async () => {
  owner = { userId: await server.userOf(newId('usr')), scopes: SCOPES };
});
afterAll(() => server.close());

const create = async (input: object, who: object = owner) => {
  const { data } = await server.ask({ credential: tokenCredential(), ...who }, CREATE, {
    input: { name: 'CI', scopes: ['voices:read'], ...input },
  });
  return data?.['createApiKey'];
};
const resolve = async (key: string) => {
  const parts = server.keys.read(key);
  if (parts === null) throw new Error('not a key');
  return apiKeyPrincipalSchema.parse(await server.askAsRouter(API_KEY_PATH, parts));
};
const later = (ms: number) => new Date(Date.now() + ms).toISOString();

describe('a new key', () => {
  it('is shown once, and stored as what it cannot be made of', async () => {
    const { apiKey, secret, errors } = await create({ name: ' Build  server ', monthlyCreditLimit: 100 });
    expect(errors).toEqual([]);
    expect(apiKey).toMatchObject({ scopes: ['voices:read'], monthlyCreditLimit: 100, expiresAt: null });
    expect(secret).toMatch(new RegExp(`^${apiKey.prefix}_[0-9a-f]{64}$`));
    const [row] = await server.database.db.select().from(apiKeys).where(eq(apiKeys.id, apiKey.id));
    const { secret: half = '' } = server.keys.read(secret) ?? {};
    expect(JSON.stringify(row)).not.toContain(half);
    expect(await resolve(secret)).toEqual({
      userId: owner.userId,
      plan: 'plan_free',
      scopes: ['voices:read'],
      blocked: false,
      expiresAt: null,
    });
  });

  it.each([
    ['scopes that its creator does not hold', { scopes: ['voices:read', 'billing:write'] }, 'SCOPE_NOT_HELD', 'scopes'],
    ['no scopes', { scopes: [] }, 'SCOPES_MISSING', 'scopes'],
    ['an end in the past', { expiresAt: later(-1000) }, 'EXPIRES_IN_THE_PAST', 'expiresAt'],
    ['a limit below nothing', { monthlyCreditLimit: -1 }, 'OUT_OF_RANGE', 'monthlyCreditLimit'],
    ['no name', { name: '  ' }, 'TOO_SHORT', 'name'],
    ['a name without end', { name: 'x'.repeat(10_000) }, 'TOO_LONG', 'name'],
  ])('with %s is none', async (_, input, code, field) => {
    expect(await create(input)).toEqual({ apiKey: null, secret: null, errors: [{ code, path: ['input', field] }] });
    expect(await server.database.db.select().from(apiKeys).where(eq(apiKeys.userId, owner.userId))).toEqual([]);
  });

  it('of a key may no more than that key', async () => {
    const parent = await create({ scopes: ['keys:manage'], expiresAt: later(60_000), monthlyCreditLimit: 10 });
    const credential = tokenCredential({ kind: 'key', id: parent.apiKey.id });
    const who = { userId: owner.userId, scopes: ['keys:manage'], credential };
    const codes = async (input: object) =>
      (await create({ scopes: ['keys:manage'], ...input }, who)).errors.map(({ code }: { code: string }) => code);
    expect(await codes({ scopes: ['voices:read'] })).toEqual(['SCOPE_NOT_HELD']);
    expect(await codes({})).toEqual(['EXPIRES_TOO_LATE', 'LIMIT_TOO_HIGH']);
    expect(await codes({ expiresAt: later(120_000), monthlyCreditLimit: 11 })).toEqual([
      'EXPIRES_TOO_LATE',
      'LIMIT_TOO_HIGH',
    ]);
    expect(await codes({ expiresAt: later(30_000), monthlyCreditLimit: 10 })).toEqual([]);
  });

  it('is not made by a key that was revoked and is remembered by a router', async () => {
    const parent = await create({ scopes: ['keys:manage'] });
    const who = { ...owner, credential: tokenCredential({ kind: 'key', id: parent.apiKey.id }) };
    expect((await create({}, who)).errors).toEqual([]);
    await server.ask(owner, REVOKE, { id: parent.apiKey.id });
    expect(await create({}, who)).toBe(null);
    const rows = await server.database.db.select().from(apiKeys).where(eq(apiKeys.userId, owner.userId));
    expect(rows).toHaveLength(2);
  });

  it('is refused when there are enough, however many are asked for at once', async () => {
    const all = await Promise.all(Array.from({ length: MAX_KEYS + 5 }, () => create({})));
    expect(all.filter(({ apiKey }) => apiKey !== null)).toHaveLength(MAX_KEYS);
    expect(all.filter(({ errors }) => errors[0]?.code === 'TOO_MANY_KEYS')).toHaveLength(5);
    await server.ask(owner, REVOKE, { id: all.find(({ apiKey }) => apiKey !== null)?.apiKey.id });
    expect((await create({})).errors).toEqual([]);
  });
});

describe('keys', () => {
  it('are listed newest first, in pages', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 3; i += 1) ids.unshift((await create({})).apiKey.id);
    const { data } = await server.ask(owner, LIST);
    const page = data?.['me'].apiKeys;
    expect(page.edges.map(({ node }: { node: { id: string } }) => node.id)).toEqual(ids.slice(0, 2));
    expect(page.pageInfo.hasNextPage).toBe(true);
    const rest = await server.ask(
      owner,
      'query ($after: String) { me { apiKeys(after: $after) { edges { node { id } } } } }',
      { after: page.pageInfo.endCursor },
    );
    expect(rest.data?.['me'].apiKeys.edges).toEqual([{ node: { id: ids[2] } }]);
  });

  it('of somebody else answer like missing ones', async () => {
    const { apiKey, secret } = await create({});
    const stranger = { userId: await server.userOf(newId('usr')), scopes: SCOPES };
    for (const id of [apiKey.id, newId('key'), 'key_nonsense', 'key_\u0000']) {
      const { data } = await server.ask(stranger, REVOKE, { id });
      expect(data?.['revokeApiKey']).toEqual({
        apiKey: null,
        revokedKeys: 0,
        errors: [{ code: 'API_KEY_NOT_FOUND', path: ['id'] }],
      });
      const node = await server.ask(stranger, 'query ($id: ID!) { node(id: $id) { id } }', { id });
      expect(node.data).toEqual({ node: null });
    }
    expect(await resolve(secret)).toMatchObject({ userId: owner.userId });
  });

  it('are nodes for who may manage keys, and for nobody else', async () => {
    const { apiKey } = await create({});
    const ask = (scopes: string[]) =>
      server.ask({ ...owner, scopes }, 'query ($id: ID!) { node(id: $id) { __typename id } }', { id: apiKey.id });
    expect((await ask(SCOPES)).data).toEqual({ node: { __typename: 'ApiKey', id: apiKey.id } });
    expect((await ask(['voices:read'])).data).toEqual({ node: null });
    const entity = (scopes: string[]) =>
      server.ask(
        { ...owner, scopes },
        'query ($r: [_Any!]!) { _entities(representations: $r) { ... on ApiKey { name } } }',
        { r: [{ __typename: 'ApiKey', id: apiKey.id }] },
      );
    expect((await entity(SCOPES)).data).toEqual({ _entities: [{ name: 'CI' }] });
    expect((await entity(['voices:read'])).data).toEqual({ _entities: [null] });
  });

  it('are revoked once and for all', async () => {
    const { apiKey, secret } = await create({});
    const [first, second] = [
      await server.ask(owner, REVOKE, { id: apiKey.id }),
      await server.ask(owner, REVOKE, { id: apiKey.id }),
    ];
    expect(first.data?.['revokeApiKey'].apiKey.revokedAt).toEqual(expect.any(String));
    expect(first.data?.['revokeApiKey'].revokedKeys).toBe(1);
    expect(second.data?.['revokeApiKey']).toEqual({ ...first.data?.['revokeApiKey'], revokedKeys: 0 });
    expect(await resolve(secret)).toBeNull();
  });
});

describe('a key that was made with a key', () => {
  const withKey = (id: string) => ({ ...owner, credential: tokenCredential({ kind: 'key', id }) });
  const revoke = async (id: string) => (await server.ask(owner, REVOKE, { id })).data?.['revokeApiKey'];
  const all = { scopes: SCOPES };

  it('ends with it, however far down, and routers are told of each', async () => {
    const first = await create(all);
    const second = await create(all, withKey(first.apiKey.id));
    const third = await create(all, withKey(second.apiKey.id));
    const beside = await create(all, withKey(first.apiKey.id));
    const other = await create(all);
    const stranger = { userId: await server.userOf(newId('usr')), scopes: SCOPES };
    const theirs = await create(all, stranger);

    expect(await revoke(second.apiKey.id)).toMatchObject({ apiKey: { id: second.apiKey.id }, revokedKeys: 2 });
    expect(await Promise.all([second, third].map(({ secret }) => resolve(secret)))).toEqual([null, null]);
    expect(await resolve(first.secret)).not.toBeNull();

    expect(await revoke(first.apiKey.id)).toMatchObject({ apiKey: { id: first.apiKey.id }, revokedKeys: 2 });
    expect(await Promise.all([first, beside].map(({ secret }) => resolve(secret)))).toEqual([null, null]);
    expect(await resolve(other.secret)).not.toBeNull();
    expect(await resolve(theirs.secret)).not.toBeNull();
    const answer = await server.askAsRouter(REVOCATIONS_PATH, { since: new Date().toISOString() });
    const told = revocationsSchema.parse(answer).revocations?.map(({ value }) => value);
    expect(told).toEqual(expect.arrayContaining([first, second, third, beside].map(({ apiKey }) => apiKey.id)));
    expect(await revoke(first.apiKey.id)).toMatchObject({ revokedKeys: 0 });
  });

  it('is not made while the other is being revoked, in whatever order', async () => {
    const survivors = [];
    for (let round = 0; round < 10; round += 1) {
      const { apiKey } = await create(all);
      const [made] = await Promise.all([create({}, withKey(apiKey.id)), revoke(apiKey.id)]);
      if (made !== null) survivors.push(await resolve(made.secret));
    }
    expect(survivors.filter((survivor) => survivor !== null)).toEqual([]);
  });
});

describe('the endpoint for the router', () => {
  it('is for nobody else', async () => {
    const parts = { id: newId('key'), secret: 'x' };
    expect((await server.post(API_KEY_PATH, parts)).status).toBe(401);
    expect((await server.post(API_KEY_PATH, parts, signedIdentity(owner.userId))).status).toBe(403);
    expect((await server.post(API_KEY_PATH, { id: 5 }, signedIdentity(null, ['service']))).status).toBe(400);
  });

  it('gives nothing for a wrong secret, an unknown id and an expired key', async () => {
    const { secret, apiKey } = await create({ expiresAt: later(60_000) });
    const { secret: other } = server.keys.mint(apiKey.id);
    expect(await server.askAsRouter(API_KEY_PATH, { id: apiKey.id, secret: other })).toBeNull();
    expect(await server.askAsRouter(API_KEY_PATH, { id: apiKey.id, secret: '' })).not.toMatchObject({
      userId: owner.userId,
    });
    expect(await resolve(server.keys.mint(newId('key')).key)).toBeNull();
    expect(await resolve(secret)).not.toBeNull();
    await server.database.db
      .update(apiKeys)
      .set({ expiresAt: new Date(Date.now() - 1) })
      .where(eq(apiKeys.id, apiKey.id));
    expect(await resolve(secret)).toBeNull();
  });

  it('says that the owner is blocked, and leaves out what only staff may', async () => {
    const staff = { ...owner, scopes: [...SCOPES, 'audit:read', 'admin:users'] };
    const { secret } = await create({ scopes: ['voices:read', 'audit:read', 'admin:users'] }, staff);
    expect((await resolve(secret))?.scopes).toEqual(['voices:read']);
    const { db } = server.database;
    await db.update(users).set({ role: 'ADMIN', blockedAt: new Date() }).where(eq(users.id, owner.userId));
    expect(await resolve(secret)).toMatchObject({
      blocked: true,
      scopes: ['voices:read', 'audit:read', 'admin:users'],
    });
  });

  it('notes the last use, at most once a minute', async () => {
    const { secret, apiKey } = await create({});
    const used = async () =>
      (await server.database.db.select().from(apiKeys).where(eq(apiKeys.id, apiKey.id)))[0]?.lastUsedAt ?? null;
    expect(await used()).toBeNull();
    await resolve(secret);
    const first = await used();
    expect(first).not.toBeNull();
    await resolve(secret);
    expect(await used()).toEqual(first);
    const before = new Date(Date.now() - 61_000);
    await server.database.db.update(apiKeys).set({ lastUsedAt: before }).where(eq(apiKeys.id, apiKey.id));
    await resolve(secret);
    expect((await used())?.getTime()).toBeGreaterThan(before.getTime());
  });
});
