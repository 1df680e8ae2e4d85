import { spreadLife } from '../spread-life.ts';
import type { SubgraphResponse } from '../subgraphs/subgraph-transport.ts';
import { readAge, readCacheControl } from './cache-control.ts';
import type { Kept } from './cache-view.ts';

/** How long an answer is kept. */
export interface Keeping extends Kept {
  /** Until when it may be sent while it is asked for again; unix milliseconds. */
  staleUntil: number;
}

export interface KeepingRules {
  enabled: boolean;
  /** Seconds where the subgraph does not say; null: it is not kept then. */
  ttlSeconds: number | null;
}

/**
 * What a change is remembered for must outlast what could be older than it. Nothing that a subgraph says is kept for
 * longer.
 */
export const MAX_KEPT_MS = 60 * 60 * 1000;

/** @returns null where the answer is not to be kept */
export function keepingOf({ data, errors, caching }: SubgraphResponse, { ttlSeconds }: KeepingRules): Keeping | null {
  if (errors !== undefined || data === undefined || data === null) return null;
  // It depends on more than what is known here.
  if (caching?.vary?.includes('*') === true) return null;
  const said = caching === undefined ? undefined : readCacheControl(caching.cacheControl);
  if (said === null) return null;
  const seconds = said?.maxAge ?? ttlSeconds;
  if (seconds === null) return null;
  const now = Date.now();
  const madeAt = now - readAge(caching?.age) * 1_000;
  const left = Math.min(madeAt + seconds * 1_000 - now, MAX_KEPT_MS);
  const freshUntil = now + (left > 0 ? Math.floor(spreadLife(left)) : left);
  const staleUntil = Math.min(freshUntil + (said?.staleWhileRevalidate ?? 0) * 1_000, now + MAX_KEPT_MS);
  if (staleUntil <= now) return null;
  return { isPublic: said?.isPublic ?? false, madeAt, freshUntil, staleUntil };
}
