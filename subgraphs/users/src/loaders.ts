import type { Db } from '@timbre/db/client';
import type { Identity } from '@timbre/platform/identity';
import DataLoader from 'dataloader';
import { findKeys } from './repos/api-keys.ts';
import { findUsers } from './repos/users.ts';
import type { ApiKeyRow, UserRow } from './rows.ts';

const KEYS_SCOPE = 'keys:manage';

export interface Loaders {
  /** Null for what is missing and for everybody but the viewer. */
  user: DataLoader<string, UserRow | null>;
  /** Null for what is missing, for other people's, and for who may not manage keys: `node` asks for no scope. */
  apiKey: DataLoader<string, ApiKeyRow | null>;
}

export function createLoaders(db: Db, { userId: viewerId, scopes }: Identity): Loaders {
  return {
    user: new DataLoader(async (ids) => {
      const own = ids.some((id) => id === viewerId) && viewerId !== null ? await findUsers(db, [viewerId]) : [];
      return ids.map((id) => (id === viewerId ? (own[0] ?? null) : null));
    }),
    apiKey: new DataLoader(async (ids) =>
      viewerId === null || !scopes.includes(KEYS_SCOPE) ? ids.map(() => null) : findKeys(db, viewerId, ids),
    ),
  };
}
