import { sql } from 'drizzle-orm';
import { holds } from '../billing/tables.ts';
import type { Tx } from '../client.ts';
import { apiKeys } from '../users/tables.ts';
import { lockAccount } from './account.ts';

export interface KeyCredits {
  available: number;
  resetsAt: Date;
}

/**
 * What an API key may still spend in the account's period, where it or a key that it was made with has a limit; null where
 * none has. What was made with a key spends what that key may, or its limit would hold for nobody who makes keys.
 *
 * Locks the account until the transaction ends, so that nothing else is held meanwhile. Counted are holds that are open or
 * were settled in this period: what of them is reserved or charged.
 */
export async function lockKeyCredits(
  tx: Tx,
  { userId, apiKeyId }: { userId: string; apiKeyId: string },
): Promise<KeyCredits | null> {
  const { rows: limits } = await tx.execute<{ id: string; credits: number }>(sql`
    with recursive above as (
      select id, created_by, monthly_credit_limit from ${apiKeys} where id = ${apiKeyId} and user_id = ${userId}
      union select k.id, k.created_by, k.monthly_credit_limit from ${apiKeys} k join above on k.id = above.created_by
    ) select id, monthly_credit_limit as credits from above where monthly_credit_limit is not null`);
  if (limits.length === 0) return null;
  const { periodStart, periodEnd } = await lockAccount(tx, userId);
  let available = Infinity;
  for (const { id, credits } of limits) {
    const { rows } = await tx.execute<{ spent: number }>(sql`
      with recursive below as (
        select ${id}::text as id
        union select k.id from ${apiKeys} k join below on k.created_by = below.id
      ) select coalesce(sum(reserved - released), 0)::float8 as spent from ${holds}
        where api_key_id in (select id from below) and (settled_at is null or settled_at >= ${periodStart})`);
    available = Math.min(available, credits - (rows[0]?.spent ?? 0));
  }
  return { available: Math.max(0, available), resetsAt: periodEnd };
}
