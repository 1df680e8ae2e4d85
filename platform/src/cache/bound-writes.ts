import type { Logger } from '../logger.ts';
import type { Cache } from './cache.ts';

export interface WriteBounds {
  /** Characters that are written at once at most, and that come back in a day; keys count, too. */
  charactersPerDay: number;
  log: Logger;
  /** Unix milliseconds. */
  now?: () => number;
}

const DAY_MS = 24 * 3_600_000;

/**
 * The same cache, which takes no more from this process than so much. For what clients can make a process write, in a store
 * that others need: what is beyond is not kept, as if the store were away.
 */
export function boundWrites(cache: Cache, { charactersPerDay, log, now = Date.now }: WriteBounds): Cache {
  let left = charactersPerDay;
  let at = now();
  let isFull = false;

  function isTaken(characters: number): boolean {
    const current = now();
    left = Math.min(charactersPerDay, left + (Math.max(0, current - at) * charactersPerDay) / DAY_MS);
    at = current;
    if (characters > left) return false;
    left -= characters;
    return true;
  }

  return {
    ...cache,
    async set(key, value, ttlMs) {
      const wasFull = isFull;
      isFull = !isTaken(key.length + value.length);
      if (!isFull) await cache.set(key, value, ttlMs);
      else if (!wasFull) log.warn({ charactersPerDay }, 'more is to be kept than a day has room for');
    },
  };
}
