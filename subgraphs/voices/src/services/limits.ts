const MiB = 1024 * 1024;

/** What a clone may consist of. A refusal names the limit and what was sent. */
export const LIMITS = {
  /** Graphemes: what a person counts as characters. */
  nameLength: 80,
  descriptionLength: 500,
  speakerNameLength: 80,
  labels: 20,
  labelKeyLength: 32,
  labelValueLength: 80,
  fileNameLength: 255,
  searchLength: 100,
  samples: 25,
  sampleBytes: 25 * MiB,
  totalBytes: 100 * MiB,
  /** Decoded, per recording. */
  sampleSeconds: 600,
  /** Decoded, over all recordings of a voice. */
  totalSeconds: 1800,
  /** Matching gains nothing from more. */
  fittedSeconds: 120,
} as const;

/** How long an upload address works; replaying the mutation gives new ones. */
export const UPLOAD_SECONDS = 3600;
export const PREVIEW_SECONDS = 3600;

/** A clone whose recordings do not arrive is given up after this. */
export const ABANDONED_AFTER_MS = 24 * 3600 * 1000;
