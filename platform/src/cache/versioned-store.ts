/**
 * Strings by key that processes share, beside a sequence of the changes to what they were made of. Who reads the
 * sequence, then makes a value, and keeps the number with it, can tell later whether the value is older than a change:
 * a change is marked after it has been made.
 */
export interface VersionedStore {
  /**
   * What all keys hold at one moment, and the sequence then.
   *
   * @returns null where it is not known in time: the store is away, slow, or was emptied
   */
  read(keys: readonly string[]): Promise<StoredValues | null>;
  /** Kept for a while at most; what cannot be kept is lost. */
  write(key: string, value: string, ttlMs: number): void;
  /**
   * Moves the sequence on, and sets markers to where it is then. `readMarker` reads them.
   *
   * @returns null where it is not known to have been done; it may be done all the same, later
   */
  mark(markers: readonly string[], options: MarkOptions): Promise<number | null>;
  /** Called when it can be asked again after it could not. */
  onBack(listener: () => void): void;
  close(): Promise<void>;
}

export interface StoredValues {
  sequence: number;
  /** Another one says that everything was lost, markers too. */
  epoch: string;
  values: readonly (string | null)[];
}

export interface MarkOptions {
  ttlMs: number;
  /** Done once of all the times that it is asked for under this name within a minute. */
  once?: string;
  /** What of each marker is set, by names without spaces that begin with a letter; none, or null: the whole. Default null. */
  parts?: readonly string[] | null;
  /** One more, of which other parts are set, and one is not any more, as if it never had been. */
  beside?: { marker: string; parts: readonly string[] | null; without: string };
}
