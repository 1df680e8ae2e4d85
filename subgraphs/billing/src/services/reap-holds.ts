import type { Db } from '@timbre/db/client';
import { reapExpiredHolds } from '@timbre/db/ledger';
import { readActiveGenerations } from '@timbre/db/tts/read-active-generations';
import type { Bus } from '@timbre/platform/bus/bus';
import { channels } from '@timbre/platform/bus/hints';
import type { Logger } from '@timbre/platform/logger';

const EVERY_MS = 60_000;

export interface ReaperOptions {
  db: Db;
  bus: Bus;
  log: Logger;
  everyMs?: number;
}

export interface Reaper {
  /** Waits for the pass that runs. */
  stop(): Promise<void>;
}

/**
 * Gives credits back that nothing will spend any more: holds past their time whose generation is neither queued nor
 * running. Every instance of this service runs one; they do not get into each other's way.
 */
export function startReaper({ db, bus, log, everyMs = EVERY_MS }: ReaperOptions): Reaper {
  let pass: Promise<void> | null = null;
  const timer = setInterval(() => {
    pass ??= reap({ db, bus, log }).finally(() => {
      pass = null;
    });
  }, everyMs);
  return {
    async stop() {
      clearInterval(timer);
      await pass;
    },
  };
}

async function reap({ db, bus, log }: Omit<ReaperOptions, 'everyMs'>): Promise<void> {
  try {
    const users = await reapExpiredHolds(db, readActiveGenerations);
    for (const userId of users) await bus.publish(channels.quota(userId), '');
    if (users.length > 0) log.warn({ users }, 'expired holds were released');
  } catch (error) {
    log.warn({ err: error }, 'could not look for expired holds; the next pass will');
  }
}
