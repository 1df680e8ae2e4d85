import { KeyObject, sign } from 'node:crypto';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import type { JSONWebKeySet } from 'jose';

export const ISSUER = 'https://issuer.test/';
export const AUDIENCE = 'https://api.test';

export interface TestIssuer {
  jwks: JSONWebKeySet;
  /** A good token, but for what is overridden. */
  sign(claims?: Record<string, unknown>, header?: { alg?: string; kid?: string; typ?: string }): Promise<string>;
  /** Signs a header and a payload as they are written. */
  signText(header: string, payload: string): string;
  /** Adds a key and signs with it from now on. */
  rotate(): Promise<void>;
  publicKeyPem(): Promise<string>;
}

export async function createTestIssuer(): Promise<TestIssuer> {
  const jwks: JSONWebKeySet = { keys: [] };
  let key = await addKey(jwks, 'key-1');

  return {
    jwks,
    async sign(claims = {}, header = {}) {
      const now = Math.floor(Date.now() / 1000);
      const payload = { iss: ISSUER, aud: AUDIENCE, sub: 'user-1', iat: now, exp: now + 300, scope: '', ...claims };
      return new SignJWT(payload)
        .setProtectedHeader({ alg: 'ES256', kid: key.kid, typ: 'at+jwt', ...header })
        .sign(key.privateKey);
    },
    signText(header, payload) {
      const input = [header, payload].map((text) => Buffer.from(text).toString('base64url')).join('.');
      const options = { key: KeyObject.from(key.privateKey), dsaEncoding: 'ieee-p1363' } as const;
      return `${input}.${sign('sha256', Buffer.from(input), options).toString('base64url')}`;
    },
    async rotate() {
      key = await addKey(jwks, `key-${jwks.keys.length + 1}`);
    },
    publicKeyPem: () => exportSPKI(key.publicKey),
  };
}

async function addKey(jwks: JSONWebKeySet, kid: string) {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  jwks.keys.push({ ...(await exportJWK(publicKey)), kid, use: 'sig' });
  return { kid, privateKey, publicKey };
}
