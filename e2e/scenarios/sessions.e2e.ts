import { setTimeout as delay } from 'node:timers/promises';
import { GraphClient } from '@timbre/cli/client/graph-client';
import {
  ApiKeysDocument,
  BlockUserDocument,
  CreateApiKeyDocument,
  EndSessionDocument,
  MeDocument,
  QuotaChangedDocument,
  RevokeApiKeyDocument,
} from '@timbre/cli/generated/graphql';
import { createDb } from '@timbre/db/client';
import { users } from '@timbre/db/users/tables';
import { loadDevIssuer } from '@timbre/platform/dev-issuer';
import { eq } from 'drizzle-orm';
import { expect, inject, onTestFinished, test } from 'vitest';
import { post } from '../testkit/post.ts';
import { newUser, signIn } from '../testkit/users.ts';

const ME = '{ me { id } }';
/** A revocation holds everywhere within this time. */
const WITHIN_MS = 1_000;

/** Opens a subscription and waits for its first event. @returns when it ends, and with what */
async function follow(client: GraphClient): Promise<{ ended: Promise<{ error: unknown; at: number }> }> {
  const events = client.subscribe(QuotaChangedDocument, {});
  await events.next();
  const ended = events.next().then(
    () => ({ error: null, at: performance.now() }),
    (error: unknown) => ({ error, at: performance.now() }),
  );
  return { ended };
}

function clientOf(token: string): GraphClient {
  const client = new GraphClient(`${inject('system').url}/graphql`, token);
  onTestFinished(() => client.close());
  return client;
}

const revoked = { codes: ['SUBSCRIPTION_AUTH_REVOKED'] };

test('a session that is ended takes its stream with it, and leaves the other ones', async () => {
  const system = inject('system');
  const here = await newUser();
  const there = await signIn(system, { email: here.email });
  const [stream, other] = [await follow(here.client), await follow(there.client)];

  const before = performance.now();
  const { endSession } = await here.client.execute(EndSessionDocument, { everywhere: false });
  expect(endSession).toMatchObject({ endedAt: expect.any(String), errors: [] });
  const { error, at } = await stream.ended;
  expect(error).toMatchObject(revoked);
  expect(at - before).toBeLessThan(WITHIN_MS);
  const answer = await post(ME, { token: here.token });
  expect([answer.status, ...answer.codes]).toEqual([401, 'UNAUTHENTICATED']);
  expect((await there.client.execute(MeDocument, {})).me?.id).toEqual(expect.any(String));

  await there.client.execute(EndSessionDocument, { everywhere: true });
  expect((await other.ended).error).toMatchObject(revoked);
  expect((await post(ME, { token: there.token })).status).toBe(401);
  // Tokens tell of their time in seconds.
  await delay(1_100);
  const again = await signIn(system, { email: here.email });
  expect((await again.client.execute(MeDocument, {})).me?.id).toEqual(expect.any(String));
});

test('a key may what it was given, until it is revoked', async () => {
  const { client } = await newUser();
  const { createApiKey } = await client.execute(CreateApiKeyDocument, {
    input: { name: 'CI', scopes: ['billing:read'] },
  });
  const [key, id] = [createApiKey?.secret ?? '', createApiKey?.apiKey?.id ?? ''];
  expect(key).toMatch(/^tk_live_/);
  const machine = clientOf(key);
  expect((await post(ME, { token: key })).data).toMatchObject({ me: { id: expect.any(String) } });
  expect((await post('{ me { email } }', { token: key })).codes).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE']);
  await expect(
    machine.execute(CreateApiKeyDocument, { input: { name: 'x', scopes: ['billing:read'] } }),
  ).rejects.toMatchObject({
    codes: ['UNAUTHORIZED_FIELD_OR_TYPE'],
  });
  const { me } = await client.execute(ApiKeysDocument, { first: 5 });
  expect(me?.apiKeys?.edges.map(({ node }) => [node.id, node.lastUsedAt !== null])).toEqual([[id, true]]);

  const stream = await follow(machine);
  const before = performance.now();
  const { revokeApiKey } = await client.execute(RevokeApiKeyDocument, { id });
  expect(revokeApiKey?.apiKey?.revokedAt).toEqual(expect.any(String));
  const { error, at } = await stream.ended;
  expect(error).toMatchObject(revoked);
  expect(at - before).toBeLessThan(WITHIN_MS);
  expect((await post(ME, { token: key })).status).toBe(401);
});

test('who is blocked is out at once, by token and by key, and in again when the block is lifted', async () => {
  const { client, token } = await newUser();
  const staff = clientOf(
    await (await loadDevIssuer(inject('system').dataDir)).sign({ email: 'staff@example.com', admin: true }),
  );
  const { createApiKey } = await client.execute(CreateApiKeyDocument, {
    input: { name: 'CI', scopes: ['billing:read'] },
  });
  const key = createApiKey?.secret ?? '';
  const id = (await client.execute(MeDocument, {})).me?.id ?? '';
  const streams = [await follow(client), await follow(clientOf(key))];

  await expect(client.execute(BlockUserDocument, { id, blocked: true })).rejects.toMatchObject({
    codes: ['UNAUTHORIZED_FIELD_OR_TYPE'],
  });
  const before = performance.now();
  await staff.execute(BlockUserDocument, { id, blocked: true });
  for (const { ended } of streams) {
    const { error, at } = await ended;
    expect(error).toMatchObject(revoked);
    expect(at - before).toBeLessThan(WITHIN_MS);
  }
  for (const credential of [token, key]) {
    const answer = await post(ME, { token: credential });
    expect([answer.status, ...answer.codes]).toEqual([403, 'FORBIDDEN']);
  }
  await staff.execute(BlockUserDocument, { id, blocked: false });
  // A refusal is remembered for five seconds.
  await delay(5_200);
  expect((await post(ME, { token })).status).toBe(200);
});

test('a role that is changed in the database ends what was begun with the other one', async () => {
  const { client, token } = await newUser();
  const { me } = await client.execute(MeDocument, {});
  const stream = await follow(client);
  const database = createDb(inject('system').databaseUrl, { max: 1, name: 'timbre-e2e' });
  onTestFinished(() => database.close());

  const before = performance.now();
  await database.db
    .update(users)
    .set({ role: 'SUPPORT' })
    .where(eq(users.id, me?.id ?? ''));
  const { error, at } = await stream.ended;
  expect(error).toMatchObject(revoked);
  expect(at - before).toBeLessThan(WITHIN_MS);
  expect((await post(ME, { token })).status).toBe(200);
});
