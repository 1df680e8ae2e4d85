import { readMarker } from '@timbre/platform/cache/marker';
import type { StoredValues, VersionedStore } from '@timbre/platform/cache/versioned-store';
import { isData, isList } from '../execution/data.ts';
import type { Entry } from './entries.ts';
import { MAX_KEPT_MS } from './keeping.ts';
import type { KnownFetch } from './known-fetch.ts';
import { changedIn } from './reach.ts';
import { EVERYTHING, markerOf } from './timeline.ts';
import type { Timeline } from './timeline.ts';

/** What the processes that share a store keep for each other. */
export interface SharedEntries {
  /** What is there and valid; undefined in the places of the others. */
  get(keys: readonly string[], of: SharedLookup): Promise<(SharedEntry | undefined)[]>;
  /** Those of which nothing has changed, on whichever router; undefined in the places of the others. */
  confirm<T extends MadeOf>(entries: readonly T[], known: SharedLookup['known']): Promise<(T | undefined)[]>;
  /** Of the timeline's present reign. */
  set(key: string, entry: Pick<SharedEntry, 'origin' | 'data' | 'ownTags'>): void;
}

export interface SharedLookup {
  known: Pick<KnownFetch, 'staticTags' | 'subgraph'>;
  /** Whether the keys are one caller's: under those of all, nothing is anybody's own. */
  isPrivate: boolean;
}

export type SharedEntry = Entry & MadeOf;

interface MadeOf extends Pick<Entry, 'origin'> {
  readonly ownTags: readonly string[];
}

/** Of one entry. */
const MAX_CHARACTERS = 1024 * 1024;

export function createSharedEntries(store: VersionedStore, timeline: Timeline): SharedEntries {
  /** Whether nothing that an entry is made of has changed since. */
  async function valid<T extends MadeOf>(
    entries: readonly (T | undefined)[],
    { staticTags, subgraph }: SharedLookup['known'],
  ): Promise<(T | undefined)[]> {
    if (entries.length === 0) return [];
    const tags = new Set([EVERYTHING]);
    for (const entry of entries) {
      if (entry === undefined) continue;
      for (const tag of staticTags(entry.origin.isPublic)) tags.add(tag);
      for (const tag of entry.ownTags) tags.add(tag);
    }
    const names = [...tags];
    const stored = await store.read(names.map(markerOf));
    if (stored === null) return entries.map(() => undefined);
    timeline.note(stored);
    const changed = new Map<string, number>();
    for (const [index, value] of stored.values.entries()) {
      const name = names[index];
      if (name !== undefined && value !== null) changed.set(name, changedIn(readMarker(value), subgraph));
    }
    return entries.map((entry) => {
      if (entry === undefined) return undefined;
      const { asOf, isPublic } = entry.origin;
      const isCurrent = (tag: string) => asOf >= (changed.get(tag) ?? 0);
      const isUnchanged =
        isCurrent(EVERYTHING) && staticTags(isPublic).every(isCurrent) && entry.ownTags.every(isCurrent);
      return isUnchanged ? entry : undefined;
    });
  }

  return {
    confirm: valid,
    async get(keys, { known, isPrivate }) {
      if (keys.length === 0) return [];
      const { reign } = timeline;
      const stored = await store.read(keys.map(entryKey));
      if (stored === null) return keys.map(() => undefined);
      const read = stored.values.map((text) => {
        const entry = text === null ? undefined : readEntry(text, { reign, ...stored });
        return entry !== undefined && (isPrivate || entry.origin.isPublic) ? entry : undefined;
      });
      return read.every((entry) => entry === undefined) ? read : valid(read, known);
    },
    set(key, { data, ownTags, origin: { isPublic, madeAt, freshUntil, staleUntil, asOf } }) {
      const { epoch } = timeline;
      const text = JSON.stringify({ data, isPublic, madeAt, freshUntil, staleUntil, epoch, asOf, ownTags });
      if (text.length <= MAX_CHARACTERS) store.write(entryKey(key), text, staleUntil - Date.now());
    },
  };
}

const entryKey = (key: string) => `entry:${key}`;

/**
 * Whoever else writes to the store must not make this process fail, or keep anything for longer than what changed it is
 * remembered. By hand, as a schema library takes longer than all else about a hit.
 *
 * @param read in which reign of the timeline, and at which of its changes, it was read
 */
function readEntry(
  text: string,
  { reign, epoch, sequence }: Pick<Timeline, 'reign'> & StoredValues,
): SharedEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isData(value)) return undefined;
  const { data, isPublic, madeAt, freshUntil, staleUntil, asOf, ownTags } = value;
  // What was on its way when the store was emptied may be older than changes whose markers are lost.
  if (value['epoch'] !== epoch) return undefined;
  if (data === undefined || typeof isPublic !== 'boolean' || !isList(ownTags)) return undefined;
  if (!isNumber(madeAt) || !isNumber(freshUntil) || !isNumber(staleUntil) || !isNumber(asOf)) return undefined;
  const tags = ownTags.filter((tag) => typeof tag === 'string');
  const now = Date.now();
  if (tags.length < ownTags.length || staleUntil <= now || asOf > sequence) return undefined;
  const until = now + MAX_KEPT_MS;
  const origin = {
    isPublic,
    madeAt: Math.min(madeAt, now),
    freshUntil: Math.min(freshUntil, until),
    staleUntil: Math.min(staleUntil, until),
    asOf,
    reign,
    checked: -1,
  };
  return { origin, data, ownTags: tags, checked: -1, confirmed: -1 };
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}
