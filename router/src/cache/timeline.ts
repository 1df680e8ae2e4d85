import { randomUUID } from 'node:crypto';
import { markedAgain, readMarker, UNMARKED } from '@timbre/platform/cache/marker';
import type { Marker } from '@timbre/platform/cache/marker';
import type { MarkOptions, StoredValues, VersionedStore } from '@timbre/platform/cache/versioned-store';
import type { Logger } from '@timbre/platform/logger';
import { createInvalidations } from './invalidations.ts';
import type { Invalidations } from './invalidations.ts';
import type { Changed } from './known-fetch.ts';
import { begunPart, seenIn, TOLD } from './reach.ts';
import type { Reach } from './reach.ts';

/** Where an operation of a principal stands among the changes. */
export interface Standpoint {
  /** What is asked for from now on includes every change up to here. */
  asOf: number;
  /** What is older lacks a mutation that the principal may know of: `changedIn`, `changedForAllIn`. */
  since: Marker;
  /** What is older may lack one; the markers of its tags say so. */
  told: number;
  /** Of another reign, everything is lost. */
  reign: number;
}

/**
 * The order of changes, so that nothing is sent that is older than a change which its receiver knows of. Without a
 * store it is the order in this process; with one, in all that share it.
 */
export interface Timeline {
  readonly invalidations: Invalidations;
  readonly reign: number;
  /** The name of the reign among those who share a store; null without one, and until something was read from it. */
  readonly epoch: string | null;
  /** What is asked for from now on includes every change up to here, of this reign. */
  readonly latest: number;
  /** Null where it is not known: then nothing can be taken from the cache, or put into it. */
  standpoint(principal: string): Standpoint | Promise<Standpoint | null>;
  /** Something was read from the store. */
  note: (stored: StoredValues) => void;
  /**
   * To be called before a mutation is sent that may reach so far.
   *
   * @returns to be called when it has ended, however; its outcome is to be told after that has resolved
   */
  mutationBegins(principal: string, reach: Reach): (changed: Changed) => Promise<void>;
  /** Something has changed. `once`: a name for the change, where others who share the store hear of it, too. */
  invalidate(changed: Pick<Change, 'tags' | 'parts'>, once?: string): Promise<void>;
  /** Some changes may not have been heard of. */
  gap: () => void;
  /** Somebody in the same order has told of a change. */
  heard: (change: Change) => void;
}

export interface TimelineOptions {
  store: VersionedStore | null;
  /** How long anything is kept that could be older than a change. */
  markerTtlMs: number;
  /** Tells others in this order of what has changed here. */
  announce: (change: Change) => void;
  log: Logger;
}

export interface Change {
  tags: readonly string[];
  /** Where of what has the tags (`Reach`); null: everywhere. */
  parts: readonly string[] | null;
  /** Null where those who are told do not count the same. */
  sequence: number | null;
}

export function createTimeline(options: TimelineOptions): Timeline {
  return options.store === null ? localTimeline(options) : sharedTimeline(options, options.store);
}

/** More principals with mutations are not told apart. */
const MAX_PRINCIPALS = 100_000;

function localTimeline({ announce }: TimelineOptions): Timeline {
  const invalidations = createInvalidations();
  const seen = new Map<string, Marker>();
  let seenByAll = UNMARKED;
  let sequence = 0;

  const invalidate = ({ tags, parts }: Pick<Change, 'tags' | 'parts'>) => {
    sequence += 1;
    invalidations.add({ tags, parts, sequence });
  };

  function markSeen(principal: string, parts: Change['parts']): void {
    if (seen.size >= MAX_PRINCIPALS) {
      seen.clear();
      seenByAll = markedAgain(UNMARKED, null, sequence);
    }
    seen.set(principal, markedAgain(seen.get(principal) ?? seenByAll, parts, sequence));
  }

  return {
    invalidations,
    reign: 0,
    epoch: null,
    get latest() {
      return sequence;
    },
    standpoint: (principal) => ({ asOf: sequence, since: seen.get(principal) ?? seenByAll, told: 0, reign: 0 }),
    note: () => undefined,
    mutationBegins:
      (principal, { parts }) =>
      async ({ tags, isAll }) => {
        const changed = { tags, parts };
        invalidate(changed);
        // What is old by its tags is so for everybody.
        if (!isAll) markSeen(principal, parts);
        announce({ ...changed, sequence: null });
      },
    async invalidate(changed, once) {
      invalidate(changed);
      if (once === undefined) announce({ ...changed, sequence: null });
    },
    heard: invalidate,
    gap() {
      sequence += 1;
      invalidations.addAll(sequence);
    },
  };
}

/** More that could not be told to the store is everything. */
const MAX_UNTOLD = 5_000;
const RETRY_MS = 1_000;
/** Changes that others make between two operations here. */
const FAR_AHEAD = 100;
/** A tag of everything that is kept. */
export const EVERYTHING = 'all';

/** The markers of the store. */
export const markerOf = (tag: string) => `inv:${tag}`;
const seenBy = (principal: string) => `seen:${principal}`;

/** Null for `tags`: everything that is kept here. */
interface Advance extends Pick<Change, 'parts'> {
  tags: readonly string[] | null;
}

const EVERYTHING_HERE: Advance = { tags: null, parts: null };

function sharedTimeline({ markerTtlMs: ttlMs, announce, log }: TimelineOptions, store: VersionedStore): Timeline {
  const invalidations = createInvalidations();
  /** What the store was to know and may not: by principals, the last of their mutations of which that is so. */
  const untold = { principals: new Map<string, number>(), tags: new Set<string>() };
  let failed = 0;
  /** By principals, how many of their mutations it is being told of. */
  const ending = new Map<string, number>();
  /** Tells the mutations that begin here from others. */
  const here = randomUUID().slice(0, 8);
  let begun = 0;
  let epoch: string | null = null;
  let reign = 0;
  let latest = 0;
  let retry: NodeJS.Timeout | null = null;

  function note({ sequence, epoch: current }: StoredValues): void {
    latest = Math.max(latest, sequence);
    if (epoch !== null && epoch !== current) {
      log.warn('the shared cache has lost its markers: everything is forgotten');
      reign += 1;
    }
    epoch = current;
  }

  /** Of what was asked for here before now, all is as of `latest` at most. */
  function invalidateHere({ tags, parts }: Advance, sequence: number): void {
    if (tags === null) invalidations.addAll(sequence);
    else invalidations.add({ tags, parts, sequence });
  }

  /**
   * Invalidates at once what is known here, then, as of the store's sequence, what others have made.
   *
   * @param principals whose change it is; where there is something `beside`, that says so
   */
  async function advance(
    principals: readonly string[],
    change: Advance,
    options: Pick<MarkOptions, 'once' | 'beside'> = {},
  ): Promise<number | null> {
    const { tags, parts } = change;
    invalidateHere(change, latest + 1);
    const changed = options.beside === undefined ? principals.map(seenBy) : [];
    const markers = [...changed, ...(tags ?? []).map(markerOf)];
    const sequence = await store.mark(markers, { ttlMs, parts, ...options });
    if (sequence !== null) {
      invalidateHere(change, sequence);
      return sequence;
    }
    // Told later, it has changed everywhere.
    failed += 1;
    for (const principal of principals) untold.principals.set(principal, failed);
    for (const tag of tags ?? [EVERYTHING]) untold.tags.add(tag);
    if (untold.tags.size > MAX_UNTOLD) {
      untold.tags.clear();
      untold.tags.add(EVERYTHING);
    }
    retry ??= setTimeout(() => void tell(), RETRY_MS).unref();
    return null;
  }

  async function tell(): Promise<void> {
    clearTimeout(retry ?? undefined);
    retry = null;
    const principals = [...untold.principals];
    const tags = [...untold.tags];
    if (principals.length === 0 && tags.length === 0) return;
    untold.tags.clear();
    const told = await advance(
      principals.map(([principal]) => principal),
      { tags, parts: null },
    );
    if (told === null) return;
    // Another may have failed since.
    for (const [principal, last] of principals) {
      if (untold.principals.get(principal) === last) untold.principals.delete(principal);
    }
  }

  /** A message may claim any time: one of which the store need not have heard yet is as of now, whoever has sent it. */
  async function heard(change: Change): Promise<void> {
    const { sequence } = change;
    if (sequence !== null && sequence <= latest + FAR_AHEAD) {
      invalidateHere(change, sequence);
      return;
    }
    const now = await advance([], change);
    if (now !== null) latest = Math.max(latest, now);
  }

  store.onBack(() => {
    void advance([], EVERYTHING_HERE).then(tell);
  });

  return {
    invalidations,
    get reign() {
      return reign;
    },
    get epoch() {
      return epoch;
    },
    get latest() {
      return latest;
    },
    async standpoint(principal) {
      if (ending.has(principal) || untold.principals.has(principal)) return null;
      const stored = await store.read([seenBy(principal)]);
      if (stored === null) return null;
      note(stored);
      return { asOf: stored.sequence, ...seenIn(readMarker(stored.values[0] ?? null)), reign };
    },
    note,
    mutationBegins(principal, { parts, isReturned }) {
      const marker = seenBy(principal);
      begun += 1;
      const without = begunPart(`${here}.${begun.toString(36)}`);
      // If the end of it cannot be told, what is older than its beginning is known to be old.
      void store.mark([marker], { ttlMs, parts: isReturned ? [without] : parts });
      return async ({ tags, isAll }) => {
        ending.set(principal, (ending.get(principal) ?? 0) + 1);
        const changed = { tags, parts };
        const beside = { marker, parts: isAll ? [TOLD] : parts, without };
        const sequence = await advance([principal], changed, isReturned ? { beside } : {});
        const others = (ending.get(principal) ?? 1) - 1;
        if (others > 0) ending.set(principal, others);
        else ending.delete(principal);
        if (sequence !== null) announce({ ...changed, sequence });
      };
    },
    async invalidate(changed, once) {
      const sequence = await advance([], changed, once === undefined ? {} : { once });
      if (sequence !== null && once === undefined) announce({ ...changed, sequence });
    },
    heard: (change) => void heard(change),
    gap: () => void advance([], EVERYTHING_HERE),
  };
}
