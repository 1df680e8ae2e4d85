import { createHmac, randomUUID } from 'node:crypto';
import { loadDevIssuer } from '@timbre/platform/dev-issuer';
import { generateKeyPair, SignJWT, UnsecuredJWT, exportJWK } from 'jose';
import { expect, inject, test } from 'vitest';
import { post } from '../testkit/post.ts';
import { newUser } from '../testkit/users.ts';

const ME = '{ me { id email } }';

async function claims() {
  const issuer = await loadDevIssuer(inject('system').dataDir);
  return {
    issuer,
    iss: issuer.issuer,
    aud: issuer.audience,
    sub: 'mallory',
    scope: 'profile:read',
    email: 'mallory@example.com',
  };
}

async function expectRefused(token: string): Promise<void> {
  const answer = await post(ME, { token });
  expect(answer.codes).toContain('UNAUTHENTICATED');
  expect(answer.status).toBe(401);
  expect(answer.data ?? null).toBeNull();
}

test('no token is an anonymous caller: the open fields answer, the others are null with a reason', async () => {
  const answer = await post('{ plans { id } me { id email } }');
  expect(answer.data?.['plans']).toHaveLength(4);
  expect(answer.data?.['me']).toBeNull();
  expect(answer.errors?.[0]).toMatchObject({ path: ['me'], extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } });
});

test('text that is no token is refused', () => expectRefused('not-a-token'));

test('an expired token is refused', async () => {
  const { issuer } = await claims();
  await expectRefused(await issuer.sign({ email: 'mallory@example.com', expiresInSeconds: -120 }));
});

test('a token of an unknown key is refused', async () => {
  const { iss, aud, sub, scope } = await claims();
  const { privateKey } = await generateKeyPair('ES256');
  await expectRefused(
    await new SignJWT({ scope })
      .setProtectedHeader({ alg: 'ES256', kid: 'unknown' })
      .setIssuer(iss)
      .setAudience(aud)
      .setSubject(sub)
      .setExpirationTime('1h')
      .sign(privateKey),
  );
});

test('a token that names our key and is signed by another is refused', async () => {
  const { issuer, iss, aud, sub, scope } = await claims();
  const { privateKey } = await generateKeyPair('ES256');
  const kid = issuer.jwks.keys[0]?.kid ?? '';
  await expectRefused(
    await new SignJWT({ scope })
      .setProtectedHeader({ alg: 'ES256', kid })
      .setIssuer(iss)
      .setAudience(aud)
      .setSubject(sub)
      .setExpirationTime('1h')
      .sign(privateKey),
  );
});

test('a token with its own key in the header is refused', async () => {
  const { iss, aud, sub, scope } = await claims();
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  await expectRefused(
    await new SignJWT({ scope })
      .setProtectedHeader({ alg: 'ES256', jwk: await exportJWK(publicKey) })
      .setIssuer(iss)
      .setAudience(aud)
      .setSubject(sub)
      .setExpirationTime('1h')
      .sign(privateKey),
  );
});

test('alg none is refused', async () => {
  const { iss, aud, sub, scope } = await claims();
  await expectRefused(
    new UnsecuredJWT({ scope }).setIssuer(iss).setAudience(aud).setSubject(sub).setExpirationTime('1h').encode(),
  );
});

test('HS256 keyed with the public key is refused', async () => {
  const { issuer, iss, aud, sub, scope } = await claims();
  const key = issuer.jwks.keys[0];
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256', kid: key?.kid })}.${part({ iss, aud, sub, scope, exp: Math.floor(Date.now() / 1000) + 3600 })}`;
  await expectRefused(`${signed}.${createHmac('sha256', JSON.stringify(key)).update(signed).digest('base64url')}`);
});

test('a changed payload is refused', async () => {
  const { token } = await newUser();
  const [header, payload = '', signature] = token.split('.');
  const claim = JSON.parse(Buffer.from(payload, 'base64url').toString());
  await expectRefused(
    `${header}.${Buffer.from(JSON.stringify({ ...claim, sub: randomUUID() })).toString('base64url')}.${signature}`,
  );
});

test('a missing scope nulls its field and nothing around it, before a subgraph is asked', async () => {
  const { token } = await newUser({ scopes: ['voices:read'] });
  const answer = await post(
    '{ me { id email displayName } voiceLibrary(first: 1) { edges { node { id } } } generation(id: "gen_x") { id } }',
    { token },
  );
  expect(answer.data).toMatchObject({ me: { email: null, displayName: null }, generation: null });
  expect(answer.data?.['voiceLibrary']).not.toBeNull();
  expect(answer.errors?.map((error) => [error.path?.join('.'), error.extensions?.['code']])).toEqual(
    expect.arrayContaining([
      ['me.email', 'UNAUTHORIZED_FIELD_OR_TYPE'],
      ['generation', 'UNAUTHORIZED_FIELD_OR_TYPE'],
    ]),
  );
});

test('a mutation without its scope does nothing', async () => {
  const { token } = await newUser({ scopes: ['profile:read'] });
  const answer = await post('mutation { updateProfile(input: {displayName: "Eve"}) { user { id } } }', { token });
  expect(answer.data).toEqual({ updateProfile: null });
  expect(answer.codes).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE']);
  expect((await post('{ me { displayName } }', { token })).data).toEqual({ me: { displayName: null } });
});

test('a subscription without its scope is refused', async () => {
  const { client } = await newUser({ scopes: ['profile:read'] });
  const { GenerationEventsDocument } = await import('@timbre/cli/generated/graphql');
  const events = client.subscribe(GenerationEventsDocument, { id: 'gen_x', afterSequence: 0 });
  await expect(events.next()).rejects.toMatchObject({ codes: ['UNAUTHORIZED_FIELD_OR_TYPE'] });
});
