import { and, eq, sql } from 'drizzle-orm';
import { holds } from '../billing/tables.ts';
import type { DbOrTx } from '../client.ts';
import { preparedRead } from '../prepared.ts';

export type ChargeRow = Pick<typeof holds.$inferSelect, 'state' | 'reserved' | 'committed' | 'released'>;

const chargesOf = preparedRead('ledger_charges', (db, among) => {
  const { generationId, state, reserved, committed, released } = holds;
  return db
    .select({ generationId, state, reserved, committed, released })
    .from(holds)
    .where(and(eq(holds.userId, sql.placeholder('userId')), among(generationId, 'generationIds')));
});

/** The receipts of the user's own generations, in the order of the ids; null for one that costs nothing or is not theirs. */
export async function readCharges(
  db: DbOrTx,
  userId: string,
  generationIds: readonly string[],
): Promise<(ChargeRow | null)[]> {
  const rows = await chargesOf(db, { userId, generationIds });
  const byId = new Map(rows.map(({ generationId: id, ...charge }) => [id, charge]));
  return generationIds.map((id) => byId.get(id) ?? null);
}
