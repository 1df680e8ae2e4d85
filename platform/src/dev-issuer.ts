import { createHash, randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose';
import type { JSONWebKeySet } from 'jose';
import { z } from 'zod';
import { STAFF_SCOPES, USER_SCOPES } from './scopes.ts';

export const DEV_ISSUER = 'urn:timbre:dev';
export const DEV_AUDIENCE = 'timbre';
export const DEV_EMAIL = 'dev@timbre.local';

const DEFAULT_LIFETIME_SECONDS = 12 * 60 * 60;

export interface DevTokenOptions {
  /** The same address is the same subject. */
  email?: string;
  /** Every scope of an ordinary user where none are named. */
  scopes?: readonly string[];
  /** Adds the scopes of staff. */
  admin?: boolean;
  expiresInSeconds?: number;
}

/** Stands in for an OpenID provider on one machine. */
export interface DevIssuer {
  issuer: string;
  audience: string;
  jwks: JSONWebKeySet;
  sign(options?: DevTokenOptions): Promise<string>;
}

const keySchema = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string(),
  y: z.string(),
  d: z.string(),
  kid: z.string(),
});

/**
 * The development issuer of a data directory. Its ES256 key is made on first use; whoever comes
 * first wins and the others use the same.
 */
export async function loadDevIssuer(dataDir: string): Promise<DevIssuer> {
  const key = await loadKey(join(dataDir, 'keys', 'issuer.json'));
  const { d: _private, ...publicKey } = key;
  const signingKey = await importJWK(key, 'ES256');

  return {
    issuer: DEV_ISSUER,
    audience: DEV_AUDIENCE,
    jwks: { keys: [{ ...publicKey, alg: 'ES256', use: 'sig' }] },
    async sign({ email = DEV_EMAIL, scopes, admin = false, expiresInSeconds = DEFAULT_LIFETIME_SECONDS } = {}) {
      const granted = [...(scopes ?? USER_SCOPES), ...(admin ? STAFF_SCOPES : [])];
      const now = Math.floor(Date.now() / 1000);
      return new SignJWT({ email, scope: granted.join(' ') })
        .setProtectedHeader({ alg: 'ES256', kid: key.kid, typ: 'at+jwt' })
        .setIssuer(DEV_ISSUER)
        .setAudience(DEV_AUDIENCE)
        .setSubject(devSubject(email))
        .setJti(randomUUID())
        .setIssuedAt(now)
        .setExpirationTime(now + expiresInSeconds)
        .sign(signingKey);
    },
  };
}

/** The `sub` of an address, whatever its case. */
export function devSubject(email: string): string {
  return `dev|${createHash('sha256').update(email.trim().toLowerCase()).digest('hex').slice(0, 32)}`;
}

async function loadKey(path: string): Promise<z.infer<typeof keySchema>> {
  const text = await createSecretFile(path, async () => {
    const { privateKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(privateKey);
    return JSON.stringify({ ...jwk, kid: await calculateJwkThumbprint(jwk) });
  });
  return keySchema.parse(JSON.parse(text));
}

/**
 * The text of a file that only its owner may read; made by `make` when it is not there yet. The
 * file appears whole or not at all, and of several makers one wins.
 */
export async function createSecretFile(path: string, make: () => Promise<string>): Promise<string> {
  const present = await readIfThere(path);
  if (present !== null) return present;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomUUID()}`;
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await handle.writeFile(await make());
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    // Unlike a rename, a link refuses to replace what somebody else made meanwhile.
    await link(temporary, path);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  return readFile(path, 'utf8');
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
