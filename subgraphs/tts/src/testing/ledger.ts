import { balances, entries } from '@timbre/db/billing/tables';
import { readCharges } from '@timbre/db/ledger/read-charges';
import { and, eq } from 'drizzle-orm';
import type { TestTts } from './test-tts.ts';

/** A generation's receipt; null where nothing was ever held. */
export async function charge({ db }: TestTts, userId: string, generationId: string) {
  const [row = null] = await readCharges(db, userId, [generationId]);
  return row;
}

/** The account's balance as the invariants see it; null where there is no account yet. */
export async function balance({ db }: TestTts, userId: string) {
  const [row = null] = await db.select().from(balances).where(eq(balances.userId, userId));
  return row;
}

/** What was charged for a generation, entry by entry. */
export async function commits({ db }: TestTts, generationId: string): Promise<number[]> {
  const rows = await db
    .select({ credits: entries.credits })
    .from(entries)
    .where(and(eq(entries.generationId, generationId), eq(entries.kind, 'COMMIT')));
  return rows.map(({ credits }) => credits);
}
