import { isRecord } from '../demand/list-size.ts';
import type { OperationRequest } from '../operations/prepare-operation.ts';
import { refusal } from '../operations/refusal.ts';
import type { OperationRefused } from '../operations/refusal.ts';

/** Longer than any digest in use; what a client sends is a key of maps and caches. */
const MAX_ID_LENGTH = 256;

/**
 * The id in `extensions.persistedQuery`, by which a client names a document instead of sending it
 * (apollographql.com/docs/apollo-server/performance/apq); null where it names none.
 *
 * @throws OperationRefused BAD_REQUEST
 */
export function persistedQueryId(extensions: OperationRequest['extensions']): string | null {
  const reference = extensions?.['persistedQuery'];
  if (reference === undefined || reference === null) return null;
  if (!isRecord(reference)) throw malformed('"extensions.persistedQuery" must be an object.');
  const { version, sha256Hash } = reference;
  if (version !== 1) throw malformed('Unsupported persisted query version: it must be 1.');
  if (typeof sha256Hash !== 'string' || sha256Hash === '' || sha256Hash.length > MAX_ID_LENGTH) {
    throw malformed(`"extensions.persistedQuery.sha256Hash" must be a string of at most ${MAX_ID_LENGTH} characters.`);
  }
  return sha256Hash;
}

export function malformed(message: string): OperationRefused {
  return refusal('BAD_REQUEST', message, {}, { status: 400 });
}
