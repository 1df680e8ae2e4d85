/** What uploads are told apart by, from their content. */
export const RECORDING_CONTAINERS = ['wav', 'flac', 'mp3', 'ogg', 'opus', 'm4a', 'webm'] as const;
export type RecordingContainer = (typeof RECORDING_CONTAINERS)[number];

/** What `decodeRecording` gives for a recording. */
export interface DecodedRecording {
  /** Mono (channels averaged), −1…1. */
  samples: Float32Array;
  /** Of `samples`, Hz: as recorded, but at most `MAX_DECODED_RATE`. */
  sampleRate: number;
  durationMs: number;
  container: RecordingContainer;
  /** By content, not by name. */
  contentType: string;
  /** Of the file, before they were averaged. */
  channels: number;
  /** Of the file, Hz. */
  fileSampleRate: number;
  /** Largest magnitude of `samples`; 1 is full scale. */
  peak: number;
  /** Root mean square of `samples`, dB below full scale. */
  rmsDb: number;
}

/** Recordings above this rate are brought down to it, Hz: speech has nothing there that a voice is told by. */
export const MAX_DECODED_RATE = 24_000;

/** Limits of one decoding; a refusal names the limit and what was sent. */
export interface DecodeLimits {
  /** Longest sound, s (default 600). */
  maxSeconds?: number;
  /** Largest file, bytes (default 25,000,000). */
  maxBytes?: number;
  /** Longest time that the decoder may take, ms (default 30,000). */
  maxMs?: number;
  /** Most memory that the decoder's process may take, bytes (default 1 GiB). */
  maxMemory?: number;
  signal?: AbortSignal | undefined;
}

export interface DecodeRequest {
  source: { path: string } | { bytes: Uint8Array };
  maxSeconds: number;
  maxBytes: number;
  maxMemory: number;
}

export type DecodeReply =
  | { kind: 'decoded'; recording: DecodedRecording }
  | { kind: 'refused'; code: string; message: string; details: Record<string, unknown> | undefined };
