import { and, eq, inArray } from 'drizzle-orm';
import { holds } from '../billing/tables.ts';
import type { DbOrTx } from '../client.ts';

export type ChargeRow = Pick<typeof holds.$inferSelect, 'state' | 'reserved' | 'committed' | 'released'>;

/** The receipts of the user's own generations, in the order of the ids; null for one that costs nothing or is not theirs. */
export async function readCharges(
  db: DbOrTx,
  userId: string,
  generationIds: readonly string[],
): Promise<(ChargeRow | null)[]> {
  const { generationId, state, reserved, committed, released } = holds;
  const rows = await db
    .select({ generationId, state, reserved, committed, released })
    .from(holds)
    .where(and(eq(holds.userId, userId), inArray(generationId, [...generationIds])));
  const byId = new Map(rows.map(({ generationId: id, ...charge }) => [id, charge]));
  return generationIds.map((id) => byId.get(id) ?? null);
}
