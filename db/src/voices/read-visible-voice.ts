import { and, eq, isNull, ne, or, sql } from 'drizzle-orm';
import type { DbOrTx } from '../client.ts';
import { preparedRead } from '../prepared.ts';
import { voices } from './tables.ts';

const visibleVoice = preparedRead('voices_visible', (db) =>
  db
    .select({ id: voices.id })
    .from(voices)
    .where(
      and(
        eq(voices.id, sql.placeholder('voiceId')),
        or(isNull(voices.ownerId), eq(voices.ownerId, sql.placeholder('viewerId'))),
        ne(voices.status, 'DELETING'),
      ),
    ),
);

/**
 * The voice's id when this viewer may know of it (a library voice, or their own that is not being
 * deleted), null otherwise. `viewerId` null is the anonymous caller.
 */
export async function readVisibleVoice(
  db: DbOrTx,
  viewerId: string | null,
  voiceId: string,
): Promise<{ id: string } | null> {
  // An owner is nobody's null: the anonymous are left with the library.
  const [row] = await visibleVoice(db, { voiceId, viewerId });
  return row ?? null;
}
