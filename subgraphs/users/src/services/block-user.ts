import type { Db } from '@timbre/db/client';
import { isId } from '@timbre/platform/ids';
import { setBlocked } from '../repos/users.ts';
import type { Refusal } from './refusal.ts';

export interface BlockResult {
  userId: string | null;
  blockedAt: Date | null;
  errors: Refusal[];
}

/** The database notes by itself what routers have to hear of. */
export async function blockUser(db: Db, id: string, blocked: boolean): Promise<BlockResult> {
  const row = isId('usr', id) ? await setBlocked(db, id, blocked) : null;
  if (row === null) {
    const errors = [{ message: 'There is no such user.', code: 'USER_NOT_FOUND', path: ['id'] }];
    return { userId: null, blockedAt: null, errors };
  }
  return { userId: row.id, blockedAt: row.blockedAt, errors: [] };
}
