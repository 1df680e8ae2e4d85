/** The process that decodes one recording and ends; started by decode-recording.ts, which also bounds its time. */
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';

import { AppError } from '@timbre/platform/errors';

import type { DecodeReply, DecodeRequest } from './decoded-recording.ts';
import { tooLarge } from './decode-recording.ts';
import { decodeBytes } from './decode-bytes.ts';

process.on('disconnect', () => process.exit(0));

process.once('message', (request: DecodeRequest) => {
  void run(request).then((reply) => process.send?.(reply));
});

async function run(request: DecodeRequest): Promise<DecodeReply> {
  try {
    const guard = new Worker(new URL('./memory-guard.ts', import.meta.url), { workerData: request.maxMemory });
    await once(guard, 'message');
    return { kind: 'decoded', recording: await decodeBytes(await load(request), request.maxSeconds) };
  } catch (error) {
    if (error instanceof AppError)
      return { kind: 'refused', code: error.code, message: error.message, details: error.details };
    return { kind: 'refused', code: 'AUDIO_UNREADABLE', message: 'The recording cannot be read.', details: undefined };
  }
}

async function load({ source, maxBytes }: DecodeRequest): Promise<Uint8Array> {
  // Bytes that came by IPC may begin at an odd offset of a larger buffer, where 16-bit samples cannot be viewed: copy.
  if ('bytes' in source) return new Uint8Array(source.bytes);
  const { size } = await stat(source.path);
  if (size > maxBytes) throw tooLarge(size, maxBytes);
  return readFile(source.path);
}
