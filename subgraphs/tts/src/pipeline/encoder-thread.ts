import { getPriority, platform, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { type AudioEncoder, createEncoder } from '@timbre/speech/codecs/encoder';
import { decodeWav } from '@timbre/speech/codecs/wav';
import { createDurationMeter, type DurationMeter } from './encoded-duration.ts';
import type { EncoderReply, EncoderRequest } from './encoder-protocol.ts';

/**
 * Encodes the joined chunks of many generations, a chunk at a time and in the order the requests come, so that a short
 * generation does not wait for the whole of a long one.
 */
interface Session {
  encoder: Promise<AudioEncoder>;
  meter: DurationMeter;
}

/** Under load, speaking the next chunk (which somebody is waiting to hear) comes before encoding. */
const NICENESS = 5;

// On Linux a thread has a priority of its own (setpriority(2), "C library/kernel differences"); elsewhere it is the
// process's, which must keep it.
if (platform() === 'linux') setPriority(0, Math.min(19, getPriority(0) + NICENESS));

const sessions = new Map<number, Session>();
const port = parentPort;
if (!port) throw new Error('This file runs as a worker thread.');

const reply = (message: EncoderReply) => port.postMessage(message, 'bytes' in message ? [message.bytes.buffer] : []);

let turn = Promise.resolve();
port.on('message', (request: EncoderRequest) => {
  turn = turn
    .then(() => handle(request))
    .catch((error: unknown) => {
      sessions.delete(request.session);
      reply({
        kind: 'error',
        session: request.session,
        message: error instanceof Error ? error.message : String(error),
      });
    });
});

async function handle(request: EncoderRequest): Promise<void> {
  const { session: id } = request;
  if (request.kind === 'open') {
    const { format, sampleRate, totalSamples } = request;
    const encoder = createEncoder(format, sampleRate, { totalSamples });
    encoder.catch(() => {}); // reported by the first request that needs it
    sessions.set(id, { encoder, meter: createDurationMeter(format) });
    return;
  }
  const session = sessions.get(id);
  if (!session || request.kind === 'drop') {
    sessions.delete(id);
    return;
  }
  const encoder = await session.encoder;
  if (request.kind === 'wav') {
    const bytes = owned(encoder.encode(decodeWav(new Uint8Array(request.bytes)).samples));
    session.meter.add(bytes);
    reply({ kind: 'bytes', session: id, bytes });
    return;
  }
  const bytes = owned(encoder.finish());
  session.meter.add(bytes);
  sessions.delete(id);
  reply({ kind: 'end', session: id, bytes, durationMs: session.meter.durationMs() });
}

/** The whole of its own buffer, which can then be handed over. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
  return whole && bytes.buffer instanceof ArrayBuffer && bytes.length > 0
    ? new Uint8Array(bytes.buffer)
    : Uint8Array.from(bytes);
}
