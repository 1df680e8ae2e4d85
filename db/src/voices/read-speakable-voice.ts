import { isId } from '@timbre/platform/ids';
import { and, eq, isNull, ne, or } from 'drizzle-orm';
import type { DbOrTx } from '../client.ts';
import { voices, type VoiceStatus } from './tables.ts';

export interface SpeakableVoice {
  id: string;
  name: string;
  /** Anything but READY cannot speak yet, or any more. */
  status: VoiceStatus;
  /** The speech package's `VoiceProfile`, to be parsed by its schema; null unless READY. */
  profile: unknown;
  /** Changes whenever the profile does: part of every key under which speech is cached. */
  revision: number;
  /** Null for a library voice. */
  ownerId: string | null;
}

/**
 * The voice as a speaker needs it, or null where there is none for this viewer: missing, somebody
 * else's and being deleted all answer alike. Read it in the transaction that relies on it.
 */
export async function readSpeakableVoice(
  db: DbOrTx,
  viewerId: string,
  voiceId: string,
): Promise<SpeakableVoice | null> {
  // PostgreSQL takes no text with a NUL in it, and what was sent may be anything.
  if (!isId('voi', voiceId)) return null;
  const [row] = await db
    .select({
      id: voices.id,
      name: voices.name,
      status: voices.status,
      profile: voices.profile,
      revision: voices.revision,
      ownerId: voices.ownerId,
    })
    .from(voices)
    .where(
      and(
        eq(voices.id, voiceId),
        or(isNull(voices.ownerId), eq(voices.ownerId, viewerId)),
        ne(voices.status, 'DELETING'),
      ),
    );
  return row ?? null;
}
