import type { Db, Tx } from '@timbre/db/client';
import { readEntitlements } from '@timbre/db/billing/read-entitlements';
import { timingSafeEqual } from 'node:crypto';
import type { ApiKeyParts, ApiKeyPrincipal, ApiKeys } from '@timbre/platform/api-key';
import { decodeCursor, pageSize, toConnection } from '@timbre/platform/cursor';
import { AppError } from '@timbre/platform/errors';
import { isId } from '@timbre/platform/ids';
import { addRevocation } from '../repos/revocations.ts';
import { findKeyAndOwner, listKeys, noteUse, revokeKey, type RevokedKey } from '../repos/api-keys.ts';
import type { ApiKeyPage, ApiKeyRow } from '../rows.ts';
import type { Refusal } from './refusal.ts';

const USE_IS_NOTED_EVERY_MS = 60_000;
/** Longer than any router remembers a key. */
const REVOCATION_MEMORY_MS = 24 * 3_600_000;

export interface KeyPageRequest {
  first: number;
  after?: string | null | undefined;
}

/** Newest first. @throws AppError BAD_USER_INPUT for a page size or cursor out of bounds */
export async function pageOfKeys(db: Db, userId: string, { first, after }: KeyPageRequest): Promise<ApiKeyPage> {
  const size = pageSize(first);
  const rows = await listKeys(db, userId, positionOf(after), size + 1);
  return toConnection(rows, size, (row) => [row.id], { after: after ?? null });
}

function positionOf(after: string | null | undefined): string | null {
  if (after === null || after === undefined || after === '') return null;
  const [id] = decodeCursor(after);
  if (typeof id !== 'string' || !isId('key', id)) {
    throw new AppError('BAD_USER_INPUT', 'The cursor is not one that this API gave out.');
  }
  return id;
}

export interface RevokeKeyResult {
  apiKey: ApiKeyRow | null;
  revokedKeys: number;
  errors: Refusal[];
}

/**
 * With all keys that were made with it: whoever has stolen one that may make others must not live on in those. Somebody
 * else's key answers like a missing one.
 */
export async function revokeApiKey(db: Db, userId: string, id: string): Promise<RevokeKeyResult> {
  const revoked = isId('key', id) ? await db.transaction((tx) => revokeAndTell(tx, userId, id)) : null;
  if (revoked !== null) return { apiKey: revoked.key, revokedKeys: revoked.ended.length, errors: [] };
  const errors = [{ message: 'There is no such key.', code: 'API_KEY_NOT_FOUND', path: ['id'] }];
  return { apiKey: null, revokedKeys: 0, errors };
}

async function revokeAndTell(tx: Tx, userId: string, id: string): Promise<RevokedKey | null> {
  const found = await revokeKey(tx, userId, id);
  const expiresAt = new Date(Date.now() + REVOCATION_MEMORY_MS);
  // Told again of one that was revoked before.
  for (const value of found === null ? [] : new Set([id, ...found.ended])) {
    await addRevocation(tx, { kind: 'key', issuer: '', value, expiresAt });
  }
  return found;
}

/**
 * Whose a key is and what may be done with it now; null for one that is unknown, revoked or expired, without a
 * difference. What only staff may is left out where the owner is staff no longer.
 */
export async function resolveApiKey(
  db: Db,
  keys: Pick<ApiKeys, 'hashOf'>,
  { id, secret }: ApiKeyParts,
): Promise<ApiKeyPrincipal> {
  const found = await findKeyAndOwner(db, id);
  // Compared where there is nothing to compare with, too: the time tells nothing.
  const stored = Buffer.from(found?.key.secretHash ?? keys.hashOf(''));
  const isRight = timingSafeEqual(Buffer.from(keys.hashOf(secret)), stored);
  if (found === null || !isRight) return null;
  const { key, owner } = found;
  const now = Date.now();
  if (key.revokedAt !== null || (key.expiresAt !== null && key.expiresAt.getTime() <= now)) return null;
  if (key.lastUsedAt === null || now - key.lastUsedAt.getTime() >= USE_IS_NOTED_EVERY_MS) await noteUse(db, id);
  const { plan } = await readEntitlements(db, owner.id);
  return {
    userId: owner.id,
    plan: plan.id,
    scopes: owner.role === 'USER' ? key.scopes.filter((scope) => !isStaffScope(scope)) : key.scopes,
    blocked: owner.blockedAt !== null,
    expiresAt: key.expiresAt === null ? null : Math.floor(key.expiresAt.getTime() / 1000),
  };
}

const isStaffScope = (scope: string) => scope.startsWith('admin:') || scope.startsWith('audit:');
