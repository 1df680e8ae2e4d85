/** A bucket of points that fills by itself: `limit` points at most, `restoreRate` of them in a second. */
export interface BucketSize {
  limit: number;
  restoreRate: number;
}

export interface BucketTaken {
  /** As many as were needed, or more; 0 where there are not so many. */
  granted: number;
  /** What is there now. */
  available: number;
}

/** Buckets that several processes take from. Keys carry their tenant. Points below zero are owed. */
export interface SharedBuckets {
  /** Whether they can be asked now. */
  ready(): boolean;
  /**
   * Takes the points that are needed, all or none, and more on top where half a bucket is left after that.
   *
   * @throws Error where they cannot be asked
   */
  take(key: string, size: BucketSize, points: { needed: number; onTop: number }): Promise<BucketTaken>;
  /** Puts points back, or takes them, below zero too; between a whole bucket and as many owed. @throws Error */
  give(key: string, size: BucketSize, points: number): Promise<void>;
}
