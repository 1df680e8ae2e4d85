import { channels, hints } from '@timbre/platform/bus/hints';
import { AppError } from '@timbre/platform/errors';
import { isId } from '@timbre/platform/ids';
import type DataLoader from 'dataloader';
import { findVoices, type VoiceProgress } from '../repos/voices.ts';
import type { VoiceRow } from '../rows.ts';
import type { Resources } from './resources.ts';

export interface Following {
  viewerId: string | null;
  voiceId: string;
  /** Ends the sequence. */
  signal: AbortSignal;
}

export interface Followed extends Pick<Resources, 'db' | 'bus'> {
  /** Without a cache: for all followers, who mostly look at the same moments. */
  progress: DataLoader<string, VoiceProgress | null>;
}

/**
 * The voice as it is, then after every change of status or fitting; ends with READY or FAILED, and
 * with DELETING when it is deleted meanwhile. Changes that follow each other faster than they can be
 * read become one.
 *
 * @throws AppError NOT_FOUND, before the sequence begins, for a voice that the viewer may not see.
 */
export async function followVoice(
  { db, bus, progress }: Followed,
  { viewerId, voiceId, signal }: Following,
): Promise<AsyncGenerator<VoiceRow, void, undefined>> {
  const read = async () => (await findVoices(db, { of: 'viewer', viewerId }, [voiceId]))[0] ?? null;
  const first = isId('voi', voiceId) ? await read() : null;
  if (first === null) throw new AppError('NOT_FOUND', 'There is no voice with this id.');
  const glance = () => progress.load(voiceId);
  return changes(hints(bus, channels.voice(voiceId), { signal }), { read, glance }, first);
}

async function* changes(
  signals: AsyncIterable<void>,
  { read, glance }: { read: () => Promise<VoiceRow | null>; glance: () => Promise<VoiceProgress | null> },
  first: VoiceRow,
): AsyncGenerator<VoiceRow, void, undefined> {
  let last: VoiceRow | null = null;
  for await (const _ of signals) {
    if (last !== null && isSame(last, await glance())) continue;
    const row: VoiceRow = (await read()) ?? { ...(last ?? first), status: 'DELETING', fitting: null };
    if (last === null || row.status !== last.status || row.fitting !== last.fitting) yield row;
    if (row.status === 'READY' || row.status === 'FAILED' || row.status === 'DELETING') return;
    last = row;
  }
}

function isSame(last: VoiceProgress, now: VoiceProgress | null): boolean {
  return now !== null && now.status === last.status && now.fitting === last.fitting;
}
