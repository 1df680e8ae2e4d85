import type { Db } from '@timbre/db/client';
import { reapExpiredHolds } from '@timbre/db/ledger';
import { readActiveGenerations } from '@timbre/db/tts/read-active-generations';
import type { Bus } from '@timbre/platform/bus/bus';
import { tellQuota } from '@timbre/platform/bus/tell-quota';
import { publishInvalidations } from '@timbre/platform/cache/invalidation';
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
    const ended = await reapExpiredHolds(db, readActiveGenerations);
    for (const { generationId, userId } of ended) {
      const charge = { kind: 'entity', type: 'Generation', key: { id: generationId }, subgraph: 'billing' } as const;
      await publishInvalidations(bus, [charge]);
      await tellQuota(bus, userId);
    }
    if (ended.length > 0) log.warn({ ended }, 'expired holds were released');
  } catch (error) {
    log.warn({ err: error }, 'could not look for expired holds; the next pass will');
  }
}
