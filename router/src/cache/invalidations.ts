/** Something kept, as far as it can be made invalid. */
export interface Tagged {
  /** Where the sequence of changes was before it was asked for. */
  readonly asOf: number;
  readonly tags: readonly string[];
  /** Those that are its own. */
  readonly ownTags: readonly string[];
  /** When it was last found valid. */
  checked: number;
}

/** Which changes what is kept in this process may be older than. */
export interface Invalidations {
  /** Grows with every invalidation: what was found valid at a version is so until the next. */
  readonly version: number;
  /** What has one of the tags and is older than `sequence` is not valid any more. */
  add(tags: readonly string[], sequence: number): void;
  /** Nothing that is older is valid any more. */
  addAll(sequence: number): void;
  isValid(kept: Tagged): boolean;
}

/** Beyond these, everything that is older than the latest of them is invalid. */
const MAX_TAGS = 100_000;

export function createInvalidations(): Invalidations {
  const latest = new Map<string, number>();
  let floor = -1;
  let highest = -1;
  let version = 0;

  const isCurrent = ({ asOf }: Tagged, tags: readonly string[]): boolean => {
    for (const tag of tags) {
      const sequence = latest.get(tag);
      if (sequence !== undefined && asOf < sequence) return false;
    }
    return true;
  };

  return {
    get version() {
      return version;
    },
    add(tags, sequence) {
      version += 1;
      highest = Math.max(highest, sequence);
      if (latest.size + tags.length > MAX_TAGS) {
        latest.clear();
        floor = highest;
        return;
      }
      for (const tag of tags) if ((latest.get(tag) ?? -1) < sequence) latest.set(tag, sequence);
    },
    addAll(sequence) {
      version += 1;
      highest = Math.max(highest, sequence);
      floor = highest;
      latest.clear();
    },
    isValid(kept) {
      if (kept.checked === version) return true;
      if (kept.asOf < floor || !isCurrent(kept, kept.tags) || !isCurrent(kept, kept.ownTags)) return false;
      kept.checked = version;
      return true;
    },
  };
}
