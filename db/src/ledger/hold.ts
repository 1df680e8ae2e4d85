import { eq, sql } from 'drizzle-orm';
import { accounts, entries, holds } from '../billing/tables.ts';
import type { Tx } from '../client.ts';
import { createAccount, lockAccount, readQuotas } from './account.ts';
import { assertCredits } from './credits.ts';
import { lockKeyCredits } from './key-credits.ts';

export interface HoldRequest {
  userId: string;
  generationId: string;
  /** An upper bound of what the generation will cost; at least 1. */
  credits: number;
  /** After this long the reaper asks whether the generation is still alive. */
  ttlSeconds: number;
  /** What the user asks with; null or absent where it is no API key. */
  apiKeyId?: string | null;
}

export interface NotHeld {
  ok: false;
  /** Whose credits do not suffice: the account's, or those that the API key may spend of them. */
  of: 'account' | 'key';
  required: number;
  available: number;
  resetsAt: Date;
}

export type HoldResult = { ok: true } | NotHeld;

/**
 * Reserves credits for a generation, or changes nothing and says what is missing. The balance is tested and changed
 * by one UPDATE, so that however many ask at once, no more is held than there is.
 *
 * What an API key may spend in a month is tested under the account's lock, with the same effect.
 *
 * A generation has one hold. Asking again while it is open changes nothing; asking again once it is settled, as a
 * retry of failed chunks does, adds to what it reserves and opens it again. Throws when the generation's hold is
 * another user's.
 */
export async function hold(tx: Tx, request: HoldRequest): Promise<HoldResult> {
  const { userId, generationId, credits, ttlSeconds, apiKeyId = null } = request;
  assertCredits(credits, 1);
  const [existing] = await tx
    .select({ userId: holds.userId, state: holds.state })
    .from(holds)
    .where(eq(holds.generationId, generationId));
  if (existing !== undefined && existing.userId !== userId) throw new Error('the hold belongs to another user');
  if (existing?.state === 'HELD') return { ok: true };

  const key = apiKeyId === null ? null : await lockKeyCredits(tx, { userId, apiKeyId });
  if (key !== null && credits > key.available) return { ok: false, of: 'key', required: credits, ...key };

  const [debited] = await debit(tx, userId, credits);
  if (debited === undefined) {
    // No account yet, last month's, or too little: the first two are mended, then the same UPDATE decides.
    await createAccount(tx, userId);
    await lockAccount(tx, userId);
  }
  const [account] = debited === undefined ? await debit(tx, userId, credits) : [debited];
  if (account === undefined) {
    const [quota] = await readQuotas(tx, [userId]);
    if (quota === undefined) throw new Error('an account vanished');
    return { ok: false, of: 'account', required: credits, available: quota.available, resetsAt: quota.resetsAt };
  }
  const expiresAt = sql`now() + make_interval(secs => ${ttlSeconds})`;
  const [row] = await tx
    .insert(holds)
    .values({ generationId, userId, apiKeyId, reserved: credits, ttlSeconds, expiresAt })
    .onConflictDoUpdate({
      target: holds.generationId,
      set: {
        state: 'HELD',
        reserved: sql`${holds.reserved} + ${credits}`,
        apiKeyId: sql`coalesce(excluded.api_key_id, ${holds.apiKeyId})`,
        ttlSeconds,
        expiresAt,
        settledAt: null,
      },
      // The account's lock serialises holds of one user, so that an open one here was opened by a call at the same time.
      setWhere: sql`${holds.state} <> 'HELD' and ${holds.userId} = ${userId}`,
    })
    .returning({ generationId: holds.generationId });
  if (row === undefined) {
    await tx
      .update(accounts)
      .set({ held: sql`${accounts.held} - ${credits}` })
      .where(eq(accounts.userId, userId));
    return { ok: true };
  }
  await tx.insert(entries).values({ userId, generationId, kind: 'HOLD', credits, periodStart: account.periodStart });
  return { ok: true };
}

const debit = (tx: Tx, userId: string, credits: number) =>
  tx
    .update(accounts)
    .set({ held: sql`${accounts.held} + ${credits}`, updatedAt: sql`now()` })
    .where(
      sql`${accounts.userId} = ${userId} and ${accounts.periodEnd} > now()
        and ${accounts.used} + ${accounts.held} + ${credits} <= ${accounts.creditLimit}`,
    )
    .returning({ periodStart: accounts.periodStart });
