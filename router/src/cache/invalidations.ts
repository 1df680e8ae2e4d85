import { markedAgain, UNMARKED } from '@timbre/platform/cache/marker';
import type { Marker } from '@timbre/platform/cache/marker';
import { changedIn } from './reach.ts';
import type { Change } from './timeline.ts';

/** Which changes what is kept in this process may be older than. */
export interface Invalidations {
  /** Grows with every invalidation: what was found valid at a version is so until the next. */
  readonly version: number;
  /** What has one of the tags and is older than `sequence` is not valid any more, where it is of one of the parts. */
  add(change: Change & { sequence: number }): void;
  /** Nothing that is older is valid any more. */
  addAll(sequence: number): void;
  /** Whether nothing has changed since, whatever the tags. */
  areBefore(asOf: number): boolean;
  /** Whether nothing that has one of the tags has changed since in what a subgraph answers. */
  isValid(asOf: number, tags: readonly string[], subgraph: string): boolean;
}

/** Beyond these, everything that is older than the latest of them is invalid. */
const MAX_TAGS = 100_000;

export function createInvalidations(): Invalidations {
  const latest = new Map<string, Marker>();
  let floor = -1;
  let highest = -1;
  let version = 0;

  return {
    get version() {
      return version;
    },
    add({ tags, parts, sequence }) {
      version += 1;
      highest = Math.max(highest, sequence);
      if (latest.size + tags.length > MAX_TAGS) {
        latest.clear();
        floor = highest;
        return;
      }
      const first = markedAgain(UNMARKED, parts, sequence);
      for (const tag of tags) {
        const marker = latest.get(tag);
        latest.set(tag, marker === undefined ? first : markedAgain(marker, parts, sequence));
      }
    },
    addAll(sequence) {
      version += 1;
      highest = Math.max(highest, sequence);
      floor = highest;
      latest.clear();
    },
    areBefore: (asOf) => highest <= asOf,
    isValid(asOf, tags, subgraph) {
      if (highest <= asOf) return true;
      if (asOf < floor) return false;
      for (const tag of tags) {
        const marker = latest.get(tag);
        if (marker !== undefined && asOf < changedIn(marker, subgraph)) return false;
      }
      return true;
    },
  };
}
