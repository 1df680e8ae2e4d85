import { generations, renderings, ttsIdempotency } from '@timbre/db/tts/tables';
import { eq } from 'drizzle-orm';
import { balance } from './ledger.ts';
import type { TestTts } from './test-tts.ts';

/** What a request may leave of a person's. */
export async function traces(tts: TestTts, userId: string) {
  const own = await tts.db.select().from(generations).where(eq(generations.ownerId, userId));
  const sound = await tts.db.select().from(renderings).where(eq(renderings.ownerId, userId));
  const keys = await tts.db.select().from(ttsIdempotency).where(eq(ttsIdempotency.userId, userId));
  const held = (await balance(tts, userId))?.held ?? 0;
  return { generations: own.length, renderings: sound.length, keys: keys.length, held };
}
/** After one that was refused. */
export const NOTHING = { generations: 0, renderings: 0, keys: 0, held: 0 };
