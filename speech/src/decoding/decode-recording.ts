import { fork } from 'node:child_process';

import { AppError, isErrorCode } from '@timbre/platform/errors';

import type { DecodedRecording, DecodeLimits, DecodeReply, DecodeRequest } from './decoded-recording.ts';

const ENTRY = new URL('./decode-process.ts', import.meta.url);
/** JavaScript heap of the process; sound and WASM lie outside of it and are bounded by `maxMemory`. */
const HEAP_MB = 512;

/**
 * Decodes a recording that a person sent: wav, flac, mp3, ogg, opus, m4a or webm, told apart by content. Runs in a process of
 * its own, which is killed when it takes too long or too much memory; sound beyond `maxSeconds` is refused as soon as the
 * file claims or yields it.
 *
 * Throws AppError `AUDIO_UNREADABLE` (no audio, or a format that is not accepted), `AUDIO_TRUNCATED`, `AUDIO_SILENT`,
 * `AUDIO_TOO_LONG`, `AUDIO_TOO_LARGE` (bytes, or memory to decode it).
 */
export async function decodeRecording(
  source: string | Uint8Array,
  limits: DecodeLimits = {},
): Promise<DecodedRecording> {
  const { maxSeconds = 600, maxBytes = 25_000_000, maxMs = 30_000, maxMemory = 1024 ** 3, signal } = limits;
  signal?.throwIfAborted();
  if (typeof source !== 'string' && source.length > maxBytes) throw tooLarge(source.length, maxBytes);
  const { promise, resolve, reject } = Promise.withResolvers<DecodedRecording>();
  const child = fork(ENTRY, {
    serialization: 'advanced',
    execArgv: [`--max-old-space-size=${String(HEAP_MB)}`],
    env: {},
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const stop = (error: unknown): void => {
    reject(error);
    child.kill('SIGKILL');
  };
  const timer = setTimeout(
    () =>
      stop(
        new AppError('AUDIO_UNREADABLE', `The recording was not decoded within ${String(maxMs / 1000)} s.`, {
          details: { limitMs: maxMs },
        }),
      ),
    maxMs,
  );
  const onAbort = (): void => stop(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  child.on('message', (reply: DecodeReply) => {
    if (reply.kind === 'decoded') resolve(reply.recording);
    else reject(refusal(reply));
    child.kill('SIGKILL');
  });
  child.on('error', (error) =>
    stop(new AppError('SERVICE_UNAVAILABLE', 'The recording could not be decoded now.', { cause: error })),
  );
  child.once('exit', () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    // Without an answer before: its guard, or the system's, ended it for its memory.
    reject(
      new AppError(
        'AUDIO_TOO_LARGE',
        `Decoding the recording takes more than ${String(Math.round(maxMemory / 1024 ** 2))} MB of memory.`,
        {
          details: { limitBytes: maxMemory },
        },
      ),
    );
  });
  const request: DecodeRequest = {
    source: typeof source === 'string' ? { path: source } : { bytes: source },
    maxSeconds,
    maxBytes,
    maxMemory,
  };
  child.send(request, (error) => {
    if (error) stop(new AppError('SERVICE_UNAVAILABLE', 'The recording could not be decoded now.', { cause: error }));
  });
  return promise;
}

export function tooLarge(sent: number, limit: number): AppError {
  return new AppError('AUDIO_TOO_LARGE', `A recording has at most ${String(limit)} bytes; ${String(sent)} were sent.`, {
    details: { limitBytes: limit, sentBytes: sent },
  });
}

function refusal(reply: Extract<DecodeReply, { kind: 'refused' }>): AppError {
  const code = isErrorCode(reply.code) ? reply.code : 'AUDIO_UNREADABLE';
  return new AppError(code, reply.message, reply.details === undefined ? {} : { details: reply.details });
}
