import { and, eq, sql } from 'drizzle-orm';
import type { DbOrTx } from '../client.ts';
import { preparedRead } from '../prepared.ts';
import { generations } from './tables.ts';

const ownGeneration = preparedRead('tts_own_generation', (db) =>
  db
    .select({ id: generations.id })
    .from(generations)
    .where(and(eq(generations.id, sql.placeholder('id')), eq(generations.ownerId, sql.placeholder('viewerId')))),
);

/** The generation's id when it is the viewer's, null otherwise: a stranger's answers like a missing one. */
export async function readOwnGeneration(db: DbOrTx, viewerId: string, id: string): Promise<{ id: string } | null> {
  const [row] = await ownGeneration(db, { id, viewerId });
  return row ?? null;
}
