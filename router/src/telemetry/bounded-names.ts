/** Stands for every name that there is no place for. */
export const OTHER = '(other)';
/** Stands for those that have no name. */
export const NONE = '(none)';

const MAX_LENGTH = 128;

/** Names that clients choose, as labels: the first so many, of a bounded length, and one label for all others. */
export interface BoundedNames {
  labelOf(name: string | null | undefined): string;
  /** Names that are not clients' to choose: they have places of their own. */
  keep(names: Iterable<string>): void;
}

export function createBoundedNames(maximum: number): BoundedNames {
  const known = new Set<string>();
  let chosen = 0;
  return {
    labelOf(name) {
      if (name === null || name === undefined || name === '') return NONE;
      if (known.has(name)) return name;
      if (chosen >= maximum || name.length > MAX_LENGTH) return OTHER;
      chosen += 1;
      known.add(name);
      return name;
    },
    keep(names) {
      for (const name of names) if (name.length <= MAX_LENGTH) known.add(name);
    },
  };
}
