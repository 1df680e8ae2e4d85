import { readEntitlements } from '@timbre/db/billing/read-entitlements';
import type { Tx } from '@timbre/db/client';
import { countSlots, lockSlots } from '../repos/voices.ts';
import { Refused } from './refusals.ts';

/**
 * Refuses whoever has no voice slot left. Until the transaction ends nobody else can take one of
 * this person's, so that counting and taking are one step.
 */
export async function requireSlot(tx: Tx, viewerId: string, path: string[]): Promise<void> {
  await lockSlots(tx, viewerId);
  const { plan } = await readEntitlements(tx, viewerId);
  const limit = plan.voiceSlots;
  const used = await countSlots(tx, viewerId);
  if (used < limit) return;
  throw new Refused({
    __typename: 'VoiceLimitError',
    code: 'VOICE_LIMIT',
    path,
    message: `Your plan has ${limit} voice slots and ${used} are taken. Delete a voice or change the plan.`,
    limit,
    used,
  });
}
