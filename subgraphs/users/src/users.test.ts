import type { TestDatabase } from '@timbre/db/testing/test-database';
import { generations, renderings } from '@timbre/db/tts/tables';
import { users } from '@timbre/db/users/tables';
import { voices } from '@timbre/db/voices/tables';
import { createIdentitySigner, type Identity, SERVICE_ROLE } from '@timbre/platform/identity';
import { newId } from '@timbre/platform/ids';
import { PRINCIPAL_PATH, principalSchema } from '@timbre/platform/principal';
import { callerOf, signedIdentity, TEST_SECRET } from '@timbre/platform/testing/caller';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestUsers, type TestUsers } from './testing/test-users.ts';

const sign = createIdentitySigner(TEST_SECRET);

let server: TestUsers;
let database: TestDatabase;
beforeAll(async () => {
  server = await startTestUsers();
  ({ database } = server);
});
afterAll(() => server.close());

const post = (path: string, body: unknown, token?: string) => server.post(path, body, token);

const ask = async (userId: string | null, query: string, variables: Record<string, unknown> = {}) =>
  (await post('/graphql', { query, variables }, signedIdentity(userId))).json();

async function principal(sub: string, email?: string) {
  const response = await post(
    PRINCIPAL_PATH,
    { iss: 'https://issuer.example/', sub, email },
    signedIdentity(null, [SERVICE_ROLE]),
  );
  return principalSchema.parse(await response.json());
}

describe('the principal endpoint', () => {
  it('makes one user of a subject, however many ask first at once', async () => {
    const sub = newId('usr');
    const answers = await Promise.all(Array.from({ length: 20 }, () => principal(sub, 'ada@example.com')));
    expect(new Set(answers.map(({ userId }) => userId)).size).toBe(1);
    expect(answers[0]).toMatchObject({ role: 'USER', plan: 'plan_free', blocked: false });
    expect(await database.db.select().from(users).where(eq(users.subject, sub))).toHaveLength(1);
  });

  it('keeps the e-mail current, and keeps it when a token has none', async () => {
    const sub = newId('usr');
    const { userId } = await principal(sub, 'old@example.com');
    await principal(sub, 'new@example.com');
    await principal(sub);
    expect(await ask(userId, '{ me { id email } }')).toEqual({
      data: { me: { id: userId, email: 'new@example.com' } },
    });
  });

  it('tells the same subject of two issuers apart', async () => {
    const sub = newId('usr');
    const { userId } = await principal(sub);
    const other = await post(
      PRINCIPAL_PATH,
      { iss: 'https://other.example/', sub },
      signedIdentity(null, [SERVICE_ROLE]),
    );
    expect(principalSchema.parse(await other.json()).userId).not.toBe(userId);
  });

  it('says that somebody is blocked', async () => {
    const sub = newId('usr');
    const { userId } = await principal(sub);
    await database.db.update(users).set({ blockedAt: new Date() }).where(eq(users.id, userId));
    expect((await principal(sub)).blocked).toBe(true);
  });

  it.each([
    ['nobody', undefined, 401],
    ['a person', signedIdentity(newId('usr')), 403],
  ])('refuses %s', async (_, token, status) => {
    const response = await post(PRINCIPAL_PATH, { iss: 'https://issuer.example/', sub: 'x' }, token);
    expect(response.status).toBe(status);
  });

  it('refuses a body of another form', async () => {
    const response = await post(PRINCIPAL_PATH, { iss: 5 }, signedIdentity(null, [SERVICE_ROLE]));
    expect(response.status).toBe(400);
  });
});

describe('the graph', () => {
  it('refuses a request without an identity', async () => {
    const response = await post('/graphql', { query: '{ me { id } }' });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
  });

  it('knows the viewer and nobody else', async () => {
    const { userId } = await principal(newId('usr'));
    const { userId: stranger } = await principal(newId('usr'));
    const query = 'query($ids: [_Any!]!) { _entities(representations: $ids) { ... on User { id } } }';
    const ids = [userId, stranger, newId('usr')].map((id) => ({ __typename: 'User', id }));
    expect(await ask(userId, query, { ids })).toMatchObject({ data: { _entities: [{ id: userId }, null, null] } });
  });

  it('node answers with the viewer, and null for strangers and for what is missing or is no id', async () => {
    const { userId } = await principal(newId('usr'));
    const { userId: stranger } = await principal(newId('usr'));
    const node = (id: string) => ask(userId, 'query($id: ID!) { node(id: $id) { __typename id } }', { id });
    expect(await node(userId)).toEqual({ data: { node: { __typename: 'User', id: userId } } });
    for (const id of [stranger, newId('voi'), newId('gen'), 'voi_nonsense', '', "'; drop table users.users"]) {
      expect(await node(id)).toEqual({ data: { node: null } });
    }
  });

  it('says for how long a router may keep what it answered: what is told of for long', async () => {
    const { userId } = await principal(newId('usr'));
    const person = callerOf(server.url, userId);
    const own = newId('voi');
    await database.db
      .insert(voices)
      .values({ id: own, kind: 'CLONED_INSTANT', ownerId: userId, status: 'AWAITING_UPLOAD', name: 'A voice' });
    const node = (id: string) => person.keptFor('query ($id: ID!) { node(id: $id) { __typename id } }', { id });
    expect(await person.keptFor('{ me { id email displayName role } }')).toBe(60);
    expect(await node(own)).toBe(300);
    expect(await node(userId)).toBe(10);
    expect(await node(newId('voi'))).toBe(10);
  });

  it('node answers with voices and generations the viewer may see, as references', async () => {
    const [{ userId }, { userId: stranger }] = [await principal(newId('usr')), await principal(newId('usr'))];
    const [library, own] = [newId('voi'), newId('voi')];
    const generation = newId('gen');
    const common = { status: 'AWAITING_UPLOAD', name: 'A voice' } as const;
    await database.db.insert(voices).values([
      { id: library, kind: 'PREMADE', ...common },
      { id: own, kind: 'CLONED_INSTANT', ownerId: userId, ...common },
    ]);
    const rendering = newId('evt');
    await database.db.insert(renderings).values({ id: rendering, ownerId: userId, contentHash: 'x' });
    await database.db.insert(generations).values({
      id: generation,
      ownerId: userId,
      renderingId: rendering,
      voiceId: own,
      voiceRevision: 1,
      modelId: 'local-1',
      format: 'MP3_44100_128',
      speed: 1,
      text: 'Hello',
      characters: 5,
      microCreditsPerCharacter: 500_000,
      state: 'QUEUED',
      chunksTotal: 1,
    });
    const query = 'query($id: ID!) { node(id: $id) { __typename id } }';
    const expected = (id: string, __typename: string) => ({ data: { node: { __typename, id } } });
    expect(await ask(userId, query, { id: library })).toEqual(expected(library, 'Voice'));
    expect(await ask(stranger, query, { id: library })).toEqual(expected(library, 'Voice'));
    expect(await ask(userId, query, { id: own })).toEqual(expected(own, 'Voice'));
    expect(await ask(userId, query, { id: generation })).toEqual(expected(generation, 'Generation'));
    for (const id of [own, generation]) expect(await ask(stranger, query, { id })).toEqual({ data: { node: null } });
  });

  it.each(['{ me { id } }', '{ node(id: "x") { id } }', 'mutation { updateProfile(input: {}) { errors { code } } }'])(
    'is closed to the anonymous: %s',
    async (query) => {
      const answer = await ask(null, query);
      expect(answer).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
    },
  );

  it.each([
    ['forged', createIdentitySigner('some other secret, just as long')],
    ['expired', (who: Identity) => sign({ ...who, expiresAt: 1 })],
  ])('refuses an identity that is %s', async (_, make) => {
    const who = { userId: newId('usr'), roles: [], scopes: [], plan: null, expiresAt: 4_000_000_000 };
    expect((await post('/graphql', { query: '{ me { id } }' }, make(who))).status).toBe(401);
  });

  it('a change is seen by what follows it in the same mutation', async () => {
    const { userId } = await principal(newId('usr'));
    const answer = await ask(
      userId,
      `mutation {
        first: updateProfile(input: { displayName: "One" }) { user { displayName } }
        second: updateProfile(input: {}) { user { displayName } }
      }`,
    );
    const user = { displayName: 'One' };
    expect(answer).toEqual({ data: { first: { user }, second: { user } } });
  });

  it('renames the viewer', async () => {
    const { userId } = await principal(newId('usr'));
    const rename =
      'mutation($input: UpdateProfileInput!) { updateProfile(input: $input) { user { displayName } errors { code path message } } }';
    const renamed = async (displayName: string | null) => ask(userId, rename, { input: { displayName } });
    expect(await renamed('  Ada 👩‍💻 ')).toEqual({
      data: { updateProfile: { user: { displayName: 'Ada 👩‍💻' }, errors: [] } },
    });
    for (const [sent, code] of [
      ['   ', 'TOO_SHORT'],
      ['x'.repeat(81), 'TOO_LONG'],
      ['x'.repeat(2_000_000), 'TOO_LONG'],
      ['a\u0000b', 'INVALID_CHARACTERS'],
    ] as const) {
      expect(await renamed(sent)).toMatchObject({
        data: { updateProfile: { user: null, errors: [{ code, path: ['input', 'displayName'] }] } },
      });
    }
    expect(await ask(userId, '{ me { displayName } }')).toEqual({ data: { me: { displayName: 'Ada 👩‍💻' } } });
    expect(await renamed(null)).toEqual({ data: { updateProfile: { user: { displayName: null }, errors: [] } } });
  });
});
