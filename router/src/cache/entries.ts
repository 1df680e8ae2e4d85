import { LRUCache } from 'lru-cache';
import type { Tagged } from './invalidations.ts';

/** An answer to a root fetch, or one entity, that is kept. */
export interface Entry extends Tagged {
  /** Not to be changed: others get it, too. */
  readonly data: unknown;
  readonly isPublic: boolean;
  /** In unix milliseconds: when the subgraph made it; until when it may be sent; until when while it is asked for again. */
  readonly madeAt: number;
  readonly freshUntil: number;
  readonly staleUntil: number;
  /** Of the timeline. */
  readonly reign: number;
}

/** What this process keeps, the most recently used. */
export interface Entries {
  readonly bytes: number;
  readonly count: number;
  get(key: string): Entry | undefined;
  set(key: string, entry: Entry, bytes: number): void;
  delete(key: string): void;
}

export interface EntriesOptions {
  maxBytes: number;
  onEvicted: () => void;
}

/** One that would take more than this part of the space is not kept: too many others would have to go. */
const MAX_SHARE = 8;
/** Of an entry and its place, beside its data and key. */
const OVERHEAD_BYTES = 300;
const TAG_BYTES = 40;

export function createEntries({ maxBytes, onEvicted }: EntriesOptions): Entries {
  const entries = new LRUCache<string, Entry>({
    maxSize: maxBytes,
    maxEntrySize: Math.floor(maxBytes / MAX_SHARE),
    dispose(_entry, _key, reason) {
      if (reason === 'evict') onEvicted();
    },
  });
  return {
    get bytes() {
      return entries.calculatedSize;
    },
    get count() {
      return entries.size;
    },
    get: (key) => entries.get(key),
    set(key, entry, bytes) {
      const size = bytes + key.length + OVERHEAD_BYTES + TAG_BYTES * entry.ownTags.length;
      entries.set(key, entry, { size });
    },
    delete: (key) => void entries.delete(key),
  };
}
