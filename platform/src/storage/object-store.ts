/** A byte range, both ends included, as in an HTTP `Range` header. */
export interface ByteRange {
  start: number;
  end: number;
}

export interface StoredObject {
  sizeBytes: number;
  /** Lower-case hex. */
  sha256: string;
}

export interface ObjectHead {
  sizeBytes: number;
  /** Lower-case hex; absent where the store keeps none (large S3 objects that were sent in parts). */
  sha256?: string;
  contentType: string;
}

export interface UploadTarget {
  method: 'PUT';
  url: string;
  /** To be sent exactly as they stand here. */
  headers: { name: string; value: string }[];
  expiresAt: Date;
}

export interface UploadTargetOptions {
  key: string;
  contentType: string;
  sizeBytes: number;
  /** Lower-case hex. */
  sha256: string;
  expiresInSeconds: number;
}

export interface DownloadUrlOptions {
  key: string;
  contentType: string;
  expiresInSeconds: number;
  /** The name under which a browser saves the file; without it the object is shown inline. */
  fileName?: string;
}

export interface DownloadUrl {
  url: string;
  expiresAt: Date;
}

export type AcceptResult = 'accepted' | 'missing' | 'mismatch';

/**
 * Objects by key. A key is `/`-separated segments of letters, digits and `._=-` that begin with a
 * letter or digit (see `keys.ts`) and carries its tenant.
 */
export interface ObjectStore {
  /** Replaces what was there, atomically. */
  put(
    key: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: { contentType: string },
  ): Promise<StoredObject>;
  /** @throws AppError NOT_FOUND */
  get(key: string): Promise<Uint8Array>;
  /** @throws AppError NOT_FOUND, on the first step of the iteration */
  stream(key: string, range?: ByteRange): AsyncIterable<Uint8Array>;
  head(key: string): Promise<ObjectHead | null>;
  /** Missing keys are no error. Uploads that were never accepted go too. */
  delete(keys: readonly string[]): Promise<void>;
  /** Everything below `prefix`, which ends with `/`, uploads that were never accepted included. */
  deletePrefix(prefix: string): Promise<void>;
  /** A URL to which a client may PUT exactly these bytes. They stay apart until {@link acceptUpload}. */
  uploadTarget(options: UploadTargetOptions): Promise<UploadTarget>;
  /**
   * Takes an upload over: checks size and hash and moves it to its key. Idempotent; afterwards the
   * upload URL takes nothing more (on S3 what is sent there is never looked at again).
   */
  acceptUpload(key: string, expected: { sizeBytes: number; sha256: string }): Promise<AcceptResult>;
  /** A URL from which anybody who has it may read until it expires. */
  downloadUrl(options: DownloadUrlOptions): Promise<DownloadUrl>;
  /** Throws while objects cannot be stored: for readiness. */
  check(): Promise<void>;
}
