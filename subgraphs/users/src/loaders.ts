import type { Db } from '@timbre/db/client';
import DataLoader from 'dataloader';
import { findUsers } from './repos/users.ts';
import type { UserRow } from './rows.ts';

export interface Loaders {
  /** Null for what is missing and for everybody but the viewer. */
  user: DataLoader<string, UserRow | null>;
}

export function createLoaders(db: Db, viewerId: string | null): Loaders {
  return {
    user: new DataLoader(async (ids) => {
      const own = ids.some((id) => id === viewerId) && viewerId !== null ? await findUsers(db, [viewerId]) : [];
      return ids.map((id) => (id === viewerId ? (own[0] ?? null) : null));
    }),
  };
}
