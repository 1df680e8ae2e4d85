/** What upload formats are told apart by, from their content. */
export const RECORDING_CONTAINERS = ['wav', 'flac', 'mp3', 'ogg', 'opus', 'm4a', 'webm'] as const;
export type RecordingContainer = (typeof RECORDING_CONTAINERS)[number];

/** What `decodeRecording` (decode-recording.ts) gives for a recording. */
export interface DecodedRecording {
  /** Mono (channels averaged), −1…1. */
  samples: Float32Array;
  /** As recorded, Hz. */
  sampleRate: number;
  durationMs: number;
  /** Of the file, before they were averaged. */
  channels: number;
  container: RecordingContainer;
  contentType: string;
  /** Largest magnitude, 1 is full scale. */
  peak: number;
  /** Root mean square, dB below full scale. */
  rmsDb: number;
}

/** Limits of one decoding; a refusal names the limit and what was sent. */
export interface DecodeLimits {
  /** Longest sound, in seconds (default 600). */
  maxSeconds?: number;
  /** Largest file, in bytes (default 25 MB). */
  maxBytes?: number;
  /** Longest time the decoder may take, in ms (default 30,000). */
  maxMs?: number;
  signal?: AbortSignal | undefined;
}
