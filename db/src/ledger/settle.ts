import { eq, sql } from 'drizzle-orm';
import { accounts, entries, holds } from '../billing/tables.ts';
import type { Tx } from '../client.ts';
import { type AccountRow, lockAccount } from './account.ts';
import { assertCredits } from './credits.ts';

export type HoldRow = typeof holds.$inferSelect;

/** Account first, then hold: see `lockAccount`. Null where the generation has no hold. */
export async function lockHold(tx: Tx, generationId: string): Promise<{ account: AccountRow; hold: HoldRow } | null> {
  const where = eq(holds.generationId, generationId);
  const [owner] = await tx.select({ userId: holds.userId }).from(holds).where(where);
  if (owner === undefined) return null;
  const account = await lockAccount(tx, owner.userId);
  const [hold] = await tx.select().from(holds).where(where).for('update');
  return hold === undefined ? null : { account, hold };
}

/**
 * Charges so much that `totalCredits` are charged for the generation in all. Because it is the running total that is
 * given, saying it twice charges once, and differences of rounded totals sum to the rounded whole. Charges at most
 * what was reserved, and nothing once the hold is settled or expired. Returns what is charged by now.
 *
 * Locks the user's account until the transaction ends: call it as late in the transaction as you can.
 */
export async function commitTotal(
  tx: Tx,
  { generationId, totalCredits }: { generationId: string; totalCredits: number },
): Promise<{ committed: number }> {
  assertCredits(totalCredits, 0);
  const locked = await lockHold(tx, generationId);
  if (locked === null) return { committed: 0 };
  const { account, hold } = locked;
  const target = Math.min(totalCredits, hold.reserved - hold.released);
  const difference = target - hold.committed;
  if (hold.state !== 'HELD' || difference <= 0) return { committed: hold.committed };
  await tx
    .update(accounts)
    .set({
      used: sql`${accounts.used} + ${difference}`,
      held: sql`${accounts.held} - ${difference}`,
      updatedAt: sql`now()`,
    })
    .where(eq(accounts.userId, hold.userId));
  await tx.update(holds).set({ committed: target }).where(eq(holds.generationId, generationId));
  await tx.insert(entries).values({
    userId: hold.userId,
    generationId,
    kind: 'COMMIT',
    credits: difference,
    periodStart: account.periodStart,
  });
  return { committed: target };
}

/** Ends the hold: COMMITTED if anything was charged, else RELEASED; the rest is available again. Again is nothing. */
export async function settle(tx: Tx, { generationId }: { generationId: string }): Promise<void> {
  const locked = await lockHold(tx, generationId);
  if (locked === null || locked.hold.state !== 'HELD') return;
  await close(tx, locked.account, locked.hold, locked.hold.committed > 0 ? 'COMMITTED' : 'RELEASED');
}

/** Gives back what an open hold has left. The caller holds both locks. */
export async function close(
  tx: Tx,
  account: AccountRow,
  hold: HoldRow,
  state: 'COMMITTED' | 'RELEASED' | 'EXPIRED',
): Promise<void> {
  const { userId, generationId } = hold;
  const rest = hold.reserved - hold.committed - hold.released;
  await tx
    .update(holds)
    .set({ state, released: sql`${holds.released} + ${rest}`, settledAt: sql`now()` })
    .where(eq(holds.generationId, generationId));
  if (rest === 0) return;
  await tx
    .update(accounts)
    .set({ held: sql`${accounts.held} - ${rest}`, updatedAt: sql`now()` })
    .where(eq(accounts.userId, userId));
  const kind = state === 'EXPIRED' ? 'EXPIRE' : 'RELEASE';
  await tx.insert(entries).values({ userId, generationId, kind, credits: rest, periodStart: account.periodStart });
}
