import { and, eq, sql } from 'drizzle-orm';
import { holds } from '../billing/tables.ts';
import type { Db, Tx } from '../client.ts';
import { close, lockHold } from './settle.ts';

const BATCH = 100;

const due = (generationId?: string) =>
  and(
    eq(holds.state, 'HELD'),
    sql`${holds.expiresAt} <= now()`,
    generationId === undefined ? undefined : eq(holds.generationId, generationId),
  );

/** Which of the generations are still queued or running. Called in the transaction that decides. */
export type LivenessCheck = (tx: Tx, generationIds: string[]) => Promise<ReadonlySet<string>>;

export interface ReapedHold {
  generationId: string;
  userId: string;
}

/**
 * Ends holds whose time is over and whose generation is not alive (which a bug or a deletion leaves behind: whatever
 * ends a generation settles its hold in the same transaction). A living one's time begins anew. Any number of reapers
 * may run at once. Returns those that were ended.
 */
export async function reapExpiredHolds(db: Db, isAlive: LivenessCheck): Promise<ReapedHold[]> {
  const reaped: ReapedHold[] = [];
  for (;;) {
    const batch = await db
      .select({ generationId: holds.generationId })
      .from(holds)
      .where(due())
      .orderBy(holds.expiresAt)
      .limit(BATCH);
    for (const { generationId } of batch) {
      const userId = await db.transaction((tx) => reap(tx, generationId, isAlive));
      if (userId !== null) reaped.push({ generationId, userId });
    }
    if (batch.length < BATCH) return reaped;
  }
}

async function reap(tx: Tx, generationId: string, isAlive: LivenessCheck): Promise<string | null> {
  const locked = await lockHold(tx, generationId);
  if (locked === null) return null;
  const { account, hold } = locked;
  // Somebody may have settled or extended it since it was listed.
  const [still] = await tx.select({ generationId: holds.generationId }).from(holds).where(due(generationId));
  if (still === undefined) return null;
  if ((await isAlive(tx, [generationId])).has(generationId)) {
    await tx
      .update(holds)
      .set({ expiresAt: sql`now() + make_interval(secs => ${holds.ttlSeconds})` })
      .where(eq(holds.generationId, generationId));
    return null;
  }
  await close(tx, account, hold, 'EXPIRED');
  return hold.userId;
}
