import type { AudioFormat } from '@timbre/speech/codecs/formats';

/** To the thread. Buffers are handed over, not copied. */
export type EncoderRequest =
  | { kind: 'open'; session: number; format: AudioFormat; sampleRate: number; totalSamples: number }
  | { kind: 'wav'; session: number; bytes: ArrayBuffer }
  | { kind: 'finish'; session: number }
  | { kind: 'drop'; session: number };

/** From the thread: one for each `wav` and `finish`, in order. */
export type EncoderReply =
  | { kind: 'bytes'; session: number; bytes: Uint8Array<ArrayBuffer> }
  | { kind: 'end'; session: number; bytes: Uint8Array<ArrayBuffer>; durationMs: number }
  | { kind: 'error'; session: number; message: string };
