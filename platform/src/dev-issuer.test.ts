import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadDevIssuer } from './dev-issuer.ts';
import type { DevIssuer, DevTokenOptions } from './dev-issuer.ts';
import { STAFF_SCOPES, USER_SCOPES } from './scopes.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'timbre-issuer-'));
});
afterEach(async () => {
  await rm(dataDir, { recursive: true });
});

async function claimsOf(issuer: DevIssuer, options?: DevTokenOptions) {
  const { payload } = await jwtVerify(await issuer.sign(options), createLocalJWKSet(issuer.jwks), {
    issuer: issuer.issuer,
    audience: issuer.audience,
    algorithms: ['ES256'],
  });
  return payload;
}

test('of several processes that make the key at once, one wins and all agree', async () => {
  const issuers = await Promise.all(Array.from({ length: 8 }, () => loadDevIssuer(dataDir)));
  expect(new Set(issuers.map(({ jwks }) => JSON.stringify(jwks))).size).toBe(1);
  await claimsOf(await loadDevIssuer(dataDir));
});

test("the key is the owner's alone and its private part is not published", async () => {
  const { jwks } = await loadDevIssuer(dataDir);
  expect((await stat(join(dataDir, 'keys', 'issuer.json'))).mode & 0o777).toBe(0o600);
  expect(jwks.keys[0]).not.toHaveProperty('d');
});

test('the same address is the same subject, on the next day too', async () => {
  const one = await claimsOf(await loadDevIssuer(dataDir), { email: 'Ada@Example.com' });
  const two = await claimsOf(await loadDevIssuer(dataDir), { email: 'ada@example.com' });
  const other = await claimsOf(await loadDevIssuer(dataDir), { email: 'bob@example.com' });
  expect(one.sub).toBe(two.sub);
  expect(other.sub).not.toBe(one.sub);
});

test("a token has every scope but the staff's, unless asked", async () => {
  const issuer = await loadDevIssuer(dataDir);
  expect((await claimsOf(issuer))['scope']).toBe(USER_SCOPES.join(' '));
  expect((await claimsOf(issuer, { scopes: ['voices:read'] }))['scope']).toBe('voices:read');
  expect((await claimsOf(issuer, { admin: true }))['scope']).toBe([...USER_SCOPES, ...STAFF_SCOPES].join(' '));
});
