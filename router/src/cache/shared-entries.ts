import { readMarker } from '@timbre/platform/cache/marker';
import type { VersionedStore } from '@timbre/platform/cache/versioned-store';
import { z } from 'zod';
import type { Entry } from './entries.ts';
import type { KnownFetch } from './known-fetch.ts';
import { changedIn } from './reach.ts';
import { EVERYTHING, markerOf } from './timeline.ts';
import type { Timeline } from './timeline.ts';

type StaticTags = KnownFetch['staticTags'];

/** What the processes that share a store keep for each other. */
export interface SharedEntries {
  /** What of a subgraph is there and valid; undefined in the places of the others. */
  get(keys: readonly string[], known: Pick<KnownFetch, 'staticTags' | 'subgraph'>): Promise<(Entry | undefined)[]>;
  set(key: string, entry: Entry): void;
}

const entrySchema = z.object({
  data: z.unknown(),
  isPublic: z.boolean(),
  madeAt: z.number(),
  freshUntil: z.number(),
  staleUntil: z.number(),
  asOf: z.number(),
  ownTags: z.array(z.string()),
});

/** Of one entry. */
const MAX_CHARACTERS = 1024 * 1024;

export function createSharedEntries(store: VersionedStore, timeline: Timeline): SharedEntries {
  /** Whether nothing that an entry is made of has changed since. */
  async function valid(entries: readonly (Entry | undefined)[], subgraph: string): Promise<(Entry | undefined)[]> {
    const tags = new Set([EVERYTHING]);
    for (const entry of entries) {
      for (const tag of entry?.tags ?? []) tags.add(tag);
      for (const tag of entry?.ownTags ?? []) tags.add(tag);
    }
    const names = [...tags];
    const stored = await store.read(names.map(markerOf));
    if (stored === null) return entries.map(() => undefined);
    const changed = new Map<string, number>();
    for (const [index, value] of stored.values.entries()) {
      const name = names[index];
      if (name !== undefined && value !== null) changed.set(name, changedIn(readMarker(value), subgraph));
    }
    const isCurrent = (entry: Entry, tag: string) => entry.asOf >= (changed.get(tag) ?? 0);
    return entries.map((entry) =>
      entry !== undefined &&
      isCurrent(entry, EVERYTHING) &&
      entry.tags.every((tag) => isCurrent(entry, tag)) &&
      entry.ownTags.every((tag) => isCurrent(entry, tag))
        ? entry
        : undefined,
    );
  }

  return {
    async get(keys, { staticTags, subgraph }) {
      const { reign } = timeline;
      const stored = await store.read(keys.map(entryKey));
      const read = keys.map((_key, index) => {
        const text = stored?.values[index];
        return typeof text === 'string' ? readEntry(text, staticTags, reign) : undefined;
      });
      return read.every((entry) => entry === undefined) ? read : valid(read, subgraph);
    },
    set(key, entry) {
      const { data, isPublic, madeAt, freshUntil, staleUntil, asOf, ownTags } = entry;
      const text = JSON.stringify({ data, isPublic, madeAt, freshUntil, staleUntil, asOf, ownTags });
      if (text.length <= MAX_CHARACTERS) store.write(entryKey(key), text, staleUntil - Date.now());
    },
  };
}

const entryKey = (key: string) => `entry:${key}`;

/** Whoever else writes to the store must not make this process fail. */
function readEntry(text: string, tagsOf: StaticTags, reign: number): Entry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = entrySchema.safeParse(value);
  if (!parsed.success || parsed.data.staleUntil <= Date.now()) return undefined;
  return { ...parsed.data, tags: tagsOf(parsed.data.isPublic), reign, checked: -1 };
}
