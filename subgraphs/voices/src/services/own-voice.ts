import type { Db, DbOrTx, Tx } from '@timbre/db/client';
import { isId } from '@timbre/platform/ids';
import { findVoices, lockOwnVoice, updateOwnVoice, type VoiceChange } from '../repos/voices.ts';
import type { VoiceRow } from '../rows.ts';
import { noSuchVoice } from './refusals.ts';

/** A row with an owner: every clone. */
export type OwnVoice = VoiceRow & { ownerId: string };

/** @throws Refused alike for a missing voice, a stranger's and a library voice. */
export async function ownVoice(db: DbOrTx, viewerId: string, id: string, path: string[]): Promise<OwnVoice> {
  if (!isId('voi', id)) throw noSuchVoice(path);
  const [row] = await findVoices(db, { of: 'owner', viewerId }, [id]);
  return owned(row ?? null, path);
}

/** The same, held until the transaction ends. */
export async function holdOwnVoice(tx: Tx, viewerId: string, id: string, path: string[]): Promise<OwnVoice> {
  if (!isId('voi', id)) throw noSuchVoice(path);
  return owned(await lockOwnVoice(tx, viewerId, id), path);
}

export interface OwnChange {
  id: string;
  change: VoiceChange;
  path: string[];
}

/** Changes it whatever state it is in, by one statement. @throws Refused as {@link ownVoice} does */
export async function changeOwnVoice(db: Db, viewerId: string, { id, change, path }: OwnChange): Promise<OwnVoice> {
  if (!isId('voi', id)) throw noSuchVoice(path);
  return owned(await updateOwnVoice(db, viewerId, id, change), path);
}

function owned(row: VoiceRow | null, path: string[]): OwnVoice {
  if (row === null || row.ownerId === null) throw noSuchVoice(path);
  return { ...row, ownerId: row.ownerId };
}

/** Whether recordings and consent may still come in. */
export function isOpen(voice: VoiceRow): boolean {
  return voice.status === 'AWAITING_UPLOAD' || voice.status === 'AWAITING_CONSENT';
}
