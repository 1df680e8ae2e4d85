import type { Db, Tx } from '@timbre/db/client';
import type { ApiKeys } from '@timbre/platform/api-key';
import { checkText, type TextRule } from '@timbre/platform/check-text';
import { AppError } from '@timbre/platform/errors';
import type { Credential } from '@timbre/platform/identity';
import { newId } from '@timbre/platform/ids';
import { countKeysToAdd, findKeys, insertKey } from '../repos/api-keys.ts';
import type { ApiKeyRow } from '../rows.ts';
import type { Refusal } from './refusal.ts';

export interface NewKeyInput {
  name: string;
  scopes: readonly string[];
  expiresAt?: Date | string | null | undefined;
  monthlyCreditLimit?: number | null | undefined;
}

/** Who makes a key: nothing that it may exceeds what they may. */
export interface KeyCreator {
  userId: string;
  scopes: readonly string[];
  credential: Credential | null | undefined;
}

export interface CreateKeyResult {
  apiKey: ApiKeyRow | null;
  /** The key itself. It is told this once and is nowhere stored. */
  secret: string | null;
  errors: Refusal[];
}

/** Those that still work. */
export const MAX_KEYS = 50;
const NAME: TextRule = { what: 'The name', min: 1, max: 80 };

/** What the caller can mend is in `errors`, and then there is no key. */
export async function createApiKey(
  db: Db,
  keys: ApiKeys,
  creator: KeyCreator,
  input: NewKeyInput,
): Promise<CreateKeyResult> {
  const { text: name, problems } = checkText(input.name, NAME);
  const scopes = [...new Set(input.scopes)];
  const expiresAt = typeof input.expiresAt === 'string' ? new Date(input.expiresAt) : (input.expiresAt ?? null);
  const monthlyCreditLimit = input.monthlyCreditLimit ?? null;
  const errors = [
    ...problems.map((problem) => ({ ...problem, path: ['input', 'name'] })),
    ...checkScopes(scopes, creator.scopes),
    ...(expiresAt !== null && expiresAt.getTime() <= Date.now()
      ? [refusal('expiresAt', 'EXPIRES_IN_THE_PAST', 'The key would have expired already.')]
      : []),
    ...(monthlyCreditLimit !== null && monthlyCreditLimit < 0
      ? [refusal('monthlyCreditLimit', 'OUT_OF_RANGE', 'The limit cannot be below 0 credits.')]
      : []),
  ];
  if (errors.length > 0) return { apiKey: null, secret: null, errors };

  return db.transaction(async (tx): Promise<CreateKeyResult> => {
    const count = await countKeysToAdd(tx, creator.userId);
    if (count >= MAX_KEYS) {
      const message = `There are ${count} keys that work, and there may be ${MAX_KEYS}: revoke one first.`;
      return { apiKey: null, secret: null, errors: [{ message, code: 'TOO_MANY_KEYS', path: ['input'] }] };
    }
    const parent = await creatingKey(tx, creator);
    const excess = parent === null ? [] : checkAgainst(parent, { expiresAt, monthlyCreditLimit });
    if (excess.length > 0) return { apiKey: null, secret: null, errors: excess };
    const id = newId('key');
    const { key, secret } = keys.mint(id);
    const row = { id, userId: creator.userId, name, secretHash: keys.hashOf(secret), scopes, expiresAt };
    const createdBy = parent?.id ?? null;
    return { apiKey: await insertKey(tx, { ...row, monthlyCreditLimit, createdBy }), secret: key, errors: [] };
  });
}

/**
 * The key that makes a key; null for a person. Routers remember a key for a moment after it was revoked: long enough for
 * whoever has stolen it to make another.
 *
 * @throws AppError UNAUTHENTICATED
 */
async function creatingKey(tx: Tx, { userId, credential }: KeyCreator): Promise<ApiKeyRow | null> {
  if (credential?.kind !== 'key') return null;
  const [key = null] = await findKeys(tx, userId, [credential.id]);
  if (key === null || key.revokedAt !== null) {
    throw new AppError('UNAUTHENTICATED', 'The API key is unknown, revoked or expired.');
  }
  return key;
}

function checkScopes(scopes: readonly string[], held: readonly string[]): Refusal[] {
  if (scopes.length === 0) return [refusal('scopes', 'SCOPES_MISSING', 'A key needs a scope.')];
  const wider = scopes.filter((scope) => !held.includes(scope));
  if (wider.length === 0) return [];
  const named = wider.slice(0, 5).map((scope) => JSON.stringify(scope.slice(0, 64)));
  return [refusal('scopes', 'SCOPE_NOT_HELD', `A key may no more than you: you do not hold ${named.join(', ')}.`)];
}

/** A key that makes a key outlives itself by it in nothing, and spends no more. */
function checkAgainst(
  parent: ApiKeyRow,
  { expiresAt, monthlyCreditLimit }: Pick<ApiKeyRow, 'expiresAt' | 'monthlyCreditLimit'>,
): Refusal[] {
  const errors: Refusal[] = [];
  if (parent.expiresAt !== null && (expiresAt === null || expiresAt > parent.expiresAt)) {
    errors.push(
      refusal('expiresAt', 'EXPIRES_TOO_LATE', `The key that makes it ends at ${parent.expiresAt.toISOString()}.`),
    );
  }
  const limit = parent.monthlyCreditLimit;
  if (limit !== null && (monthlyCreditLimit === null || monthlyCreditLimit > limit)) {
    errors.push(refusal('monthlyCreditLimit', 'LIMIT_TOO_HIGH', `The key that makes it may spend ${limit} credits.`));
  }
  return errors;
}

function refusal(field: string, code: string, message: string): Refusal {
  return { message, code, path: ['input', field] };
}
