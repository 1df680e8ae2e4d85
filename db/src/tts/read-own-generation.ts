import { and, eq } from 'drizzle-orm';
import type { DbOrTx } from '../client.ts';
import { generations } from './tables.ts';

/** The generation's id when it is the viewer's, null otherwise: a stranger's answers like a missing one. */
export async function readOwnGeneration(db: DbOrTx, viewerId: string, id: string): Promise<{ id: string } | null> {
  const [row] = await db
    .select({ id: generations.id })
    .from(generations)
    .where(and(eq(generations.id, id), eq(generations.ownerId, viewerId)));
  return row ?? null;
}
