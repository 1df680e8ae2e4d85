import { and, eq, sql } from 'drizzle-orm';
import type { DbOrTx, Tx } from '@timbre/db/client';
import { preparedRead } from '@timbre/db/prepared';
import { consents, type ConsentState } from '@timbre/db/voices/tables';
import type { ConsentRow } from '../rows.ts';

const consentsOf = preparedRead('voices_consents', (db, among) =>
  db
    .select()
    .from(consents)
    .where(and(among(consents.voiceId, 'voiceIds'), eq(consents.ownerId, sql.placeholder('viewerId')))),
);

/** Each voice's consent, for the viewer's own voices; null where none was submitted and for every other id. */
export async function findConsents(
  db: DbOrTx,
  viewerId: string,
  voiceIds: readonly string[],
): Promise<(ConsentRow | null)[]> {
  const rows = await consentsOf(db, { voiceIds, viewerId });
  const byVoice = new Map(rows.map((row) => [row.voiceId, row]));
  return voiceIds.map((id) => byVoice.get(id) ?? null);
}

/** A later submission takes the place of an earlier one. */
export async function putConsent(tx: Tx, consent: typeof consents.$inferInsert): Promise<ConsentRow> {
  const { voiceId: _, ...rest } = consent;
  const [row] = await tx
    .insert(consents)
    .values(consent)
    .onConflictDoUpdate({ target: consents.voiceId, set: { verifiedAt: null, recording: null, ...rest } })
    .returning();
  if (row === undefined) throw new Error('The consent was not written.');
  return row;
}

export async function setConsentState(
  tx: Tx,
  voiceId: string,
  state: ConsentState,
  verifiedAt: Date | null = null,
): Promise<void> {
  await tx.update(consents).set({ state, verifiedAt }).where(eq(consents.voiceId, voiceId));
}
