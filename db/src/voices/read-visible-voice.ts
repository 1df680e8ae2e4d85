import { and, eq, isNull, ne, or } from 'drizzle-orm';
import type { DbOrTx } from '../client.ts';
import { voices } from './tables.ts';

/**
 * The voice's id when this viewer may know of it (a library voice, or their own that is not being
 * deleted), null otherwise. `viewerId` null is the anonymous caller.
 */
export async function readVisibleVoice(
  db: DbOrTx,
  viewerId: string | null,
  voiceId: string,
): Promise<{ id: string } | null> {
  const [row] = await db
    .select({ id: voices.id })
    .from(voices)
    .where(
      and(
        eq(voices.id, voiceId),
        viewerId === null ? isNull(voices.ownerId) : or(isNull(voices.ownerId), eq(voices.ownerId, viewerId)),
        ne(voices.status, 'DELETING'),
      ),
    );
  return row ?? null;
}
