import { GraphClient } from '@timbre/cli/client/graph-client';
import {
  ApiKeysDocument,
  BlockUserDocument,
  CreateApiKeyDocument,
  EndSessionDocument,
  MeDocument,
  RevokeApiKeyDocument,
} from '@timbre/cli/generated/graphql';
import { loadDevIssuer } from '@timbre/platform/dev-issuer';
import { expect, inject, onTestFinished, test } from 'vitest';
import { followQuota, REVOKED, TOLD_WITHIN_MS } from '../testkit/follow-quota.ts';
import { post } from '../testkit/post.ts';
import { makeSupport, newUser, signIn } from '../testkit/users.ts';

const ME = '{ me { id } }';

function clientOf(token: string): GraphClient {
  const client = new GraphClient(`${inject('system').url}/graphql`, token);
  onTestFinished(() => client.close());
  return client;
}

test('a session that is ended takes its stream with it, and leaves the other ones', async () => {
  const system = inject('system');
  const here = await newUser();
  const there = await signIn(system, { email: here.email });
  const [stream, other] = [await followQuota(here.client), await followQuota(there.client)];

  const before = performance.now();
  const { endSession } = await here.client.execute(EndSessionDocument, { everywhere: false });
  expect(endSession).toMatchObject({ endedAt: expect.any(String), errors: [] });
  const { error, at } = await stream.ended;
  expect(error).toMatchObject(REVOKED);
  expect(at - before).toBeLessThan(TOLD_WITHIN_MS);
  const answer = await post(ME, { token: here.token });
  expect([answer.status, ...answer.codes]).toEqual([401, 'UNAUTHENTICATED']);
  expect((await there.client.execute(MeDocument, {})).me?.id).toEqual(expect.any(String));

  await there.client.execute(EndSessionDocument, { everywhere: true });
  expect((await other.ended).error).toMatchObject(REVOKED);
  expect((await post(ME, { token: there.token })).status).toBe(401);
  // Tokens tell of their time in seconds: one of the same second has ended, too.
  const again = async () => (await post(ME, { token: (await signIn(system, { email: here.email })).token })).status;
  await expect.poll(again, { interval: 200 }).toBe(200);
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

  const stream = await followQuota(machine);
  const before = performance.now();
  const { revokeApiKey } = await client.execute(RevokeApiKeyDocument, { id });
  expect(revokeApiKey?.apiKey?.revokedAt).toEqual(expect.any(String));
  const { error, at } = await stream.ended;
  expect(error).toMatchObject(REVOKED);
  expect(at - before).toBeLessThan(TOLD_WITHIN_MS);
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
  const streams = [await followQuota(client), await followQuota(clientOf(key))];

  await expect(client.execute(BlockUserDocument, { id, blocked: true })).rejects.toMatchObject({
    codes: ['UNAUTHORIZED_FIELD_OR_TYPE'],
  });
  const before = performance.now();
  await staff.execute(BlockUserDocument, { id, blocked: true });
  for (const { ended } of streams) {
    const { error, at } = await ended;
    expect(error).toMatchObject(REVOKED);
    expect(at - before).toBeLessThan(TOLD_WITHIN_MS);
  }
  for (const credential of [token, key]) {
    const answer = await post(ME, { token: credential });
    expect([answer.status, ...answer.codes]).toEqual([403, 'FORBIDDEN']);
  }
  await staff.execute(BlockUserDocument, { id, blocked: false });
  // A refusal is remembered for some seconds.
  await expect.poll(async () => (await post(ME, { token })).status, { interval: 200 }).toBe(200);
});

test('a role that is changed in the database ends what was begun with the other one', async () => {
  const { client, token } = await newUser();
  const { me } = await client.execute(MeDocument, {});
  const stream = await followQuota(client);
  const before = performance.now();
  await makeSupport(inject('system'), me?.id ?? '');
  const { error, at } = await stream.ended;
  expect(error).toMatchObject(REVOKED);
  expect(at - before).toBeLessThan(TOLD_WITHIN_MS);
  expect((await post(ME, { token })).status).toBe(200);
});
