import type { Db } from '@timbre/db/client';
import type { Jobs } from '@timbre/db/jobs';
import type { Bus } from '@timbre/platform/bus/bus';
import type { VoiceStatus } from '@timbre/db/voices/tables';
import { lockStale, markDeleting } from './repos/unattended.ts';
import { enqueueClean } from './services/delete-voice.ts';
import { ABANDONED_AFTER_MS } from './services/limits.ts';
import { announce } from './services/resources.ts';

/** A clean-up that has not ended after this is begun again: its job was given up, as in a long outage of the store. */
const STUCK_AFTER_MS = 10 * 60 * 1000;
const BATCH = 100;

interface SweepResources {
  db: Db;
  jobs: Jobs;
  bus: Bus;
}

/** Deletes clones whose recordings or consent never came, and takes up deletions that got stuck. Returns how many. */
export async function sweepVoices(resources: SweepResources, now: Date = new Date()): Promise<number> {
  const abandoned = await deleteStale(
    resources,
    ['AWAITING_UPLOAD', 'AWAITING_CONSENT'],
    before(now, ABANDONED_AFTER_MS),
  );
  const stuck = await deleteStale(resources, ['DELETING'], before(now, STUCK_AFTER_MS));
  return abandoned + stuck;
}

async function deleteStale({ db, jobs, bus }: SweepResources, statuses: VoiceStatus[], since: Date): Promise<number> {
  let total = 0;
  for (;;) {
    const stale = await db.transaction(async (tx) => {
      const rows = await lockStale(tx, statuses, since, BATCH);
      if (rows.length > 0)
        await markDeleting(
          tx,
          rows.map(({ id }) => id),
        );
      for (const { id, ownerId } of rows) await enqueueClean(jobs, tx, ownerId, id);
      return rows;
    });
    for (const voice of stale) await announce(bus, voice);
    total += stale.length;
    if (stale.length < BATCH) return total;
  }
}

function before(now: Date, milliseconds: number): Date {
  return new Date(now.getTime() - milliseconds);
}
