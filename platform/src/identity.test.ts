import { expect, test } from 'vitest';
import { AppError } from './errors.ts';
import { createIdentitySigner, createIdentityVerifier } from './identity.ts';
import type { Identity } from './identity.ts';

const secret = 'one secret that is long enough to be used';
const identity: Identity = {
  userId: 'usr_1',
  roles: ['USER'],
  scopes: ['voices:read'],
  plan: 'plan_free',
  expiresAt: Math.floor(Date.now() / 1000) + 30,
};

const sign = createIdentitySigner(secret);

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
  return 'accepted';
}

test('what was signed comes back', () => {
  expect(createIdentityVerifier(secret)(sign(identity))).toEqual(identity);
});

test('the anonymous caller is signed too', () => {
  const anonymous = { ...identity, userId: null, plan: null, scopes: [] };
  expect(createIdentityVerifier(secret)(sign(anonymous)).userId).toBeNull();
});

test('nothing, a forgery, another secret and a second spelling are refused', () => {
  const verify = createIdentityVerifier(secret);
  const token = sign(identity);
  const [version = '', payload = '', signature = ''] = token.split('.');
  const widened = Buffer.from(JSON.stringify({ ...identity, roles: ['ADMIN'] })).toString('base64url');
  expect(codeOf(() => verify(undefined))).toBe('UNAUTHENTICATED');
  expect(codeOf(() => verify(''))).toBe('UNAUTHENTICATED');
  expect(codeOf(() => verify(`${version}.${widened}.${signature}`))).toBe('UNAUTHENTICATED');
  expect(codeOf(() => verify(`${version}.${payload}.${signature.slice(0, -2)}AA`))).toBe('UNAUTHENTICATED');
  expect(codeOf(() => verify(`${version}.${payload}`))).toBe('UNAUTHENTICATED');
  expect(codeOf(() => verify(`${token}=`))).toBe('UNAUTHENTICATED');
  expect(codeOf(() => verify(`${token}.x`))).toBe('UNAUTHENTICATED');
  expect(codeOf(() => createIdentityVerifier(`${secret}!`)(token))).toBe('UNAUTHENTICATED');
  expect(codeOf(() => verify(token))).toBe('accepted');
});

test('an identity ends at its expiry, remembered or not', () => {
  let now = identity.expiresAt * 1000 - 1;
  const verify = createIdentityVerifier(secret, { now: () => now });
  const token = sign(identity);
  expect(codeOf(() => verify(token))).toBe('accepted');
  now += 1;
  expect(codeOf(() => verify(token))).toBe('UNAUTHENTICATED');
  expect(codeOf(() => verify(token))).toBe('UNAUTHENTICATED');
});

test('one request cannot widen the rights that another request is given', () => {
  const verify = createIdentityVerifier(secret);
  const token = sign(identity);
  expect(() => verify(token).scopes.push('admin:*')).toThrow(TypeError);
  expect(verify(token).scopes).toEqual(['voices:read']);
});
