import { Worker } from 'node:worker_threads';
import type { AudioFormat } from '@timbre/speech/codecs/formats';
import type { EncoderReply, EncoderRequest } from './encoder-protocol.ts';

export interface EncodeRequest {
  format: AudioFormat;
  /** Of every chunk, Hz. */
  sampleRate: number;
  totalSamples: number;
  /** The chunks' WAV files in order; their buffers are handed over. */
  wavs: AsyncIterable<Uint8Array>;
}

export interface Encoding {
  /** The encoded bytes. One chunk is read, encoded and given out before the next: memory does not grow with length. */
  bytes: AsyncIterable<Uint8Array>;
  /** Of the encoded sound; known once `bytes` has ended. */
  durationMs(): number;
}

export interface EncoderPool {
  encode(request: EncodeRequest): Encoding;
  close(): Promise<void>;
}

interface Waiting {
  resolve(reply: EncoderReply): void;
  reject(error: Error): void;
}

interface Thread {
  worker: Worker;
  sessions: Map<number, Waiting | null>;
}

/** Encodes in threads, so that neither the event loop nor the heartbeats of the jobs wait for it. */
export function createEncoderPool({ threads = 1 }: { threads?: number } = {}): EncoderPool {
  let nextSession = 1;
  let closed = false;
  const pool: (Thread | null)[] = Array.from({ length: threads }, () => null);

  function start(slot: number): Thread {
    const worker = new Worker(new URL('./encoder-thread.ts', import.meta.url));
    const thread: Thread = { worker, sessions: new Map() };
    const fail = (error: Error) => {
      if (pool[slot] === thread) pool[slot] = null;
      for (const waiting of thread.sessions.values()) waiting?.reject(error);
      thread.sessions.clear();
    };
    worker.on('message', (reply: EncoderReply) => {
      const waiting = thread.sessions.get(reply.session);
      if (!waiting) return;
      thread.sessions.set(reply.session, null);
      if (reply.kind === 'error') waiting.reject(new Error(`The sound could not be encoded: ${reply.message}`));
      else waiting.resolve(reply);
    });
    worker.on('error', (error) => fail(error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => fail(new Error('The encoder thread ended.')));
    worker.unref();
    pool[slot] = thread;
    return thread;
  }

  function leastLoaded(): Thread {
    if (closed) throw new Error('The encoder is closed.');
    const all = pool.map((thread, slot) => thread ?? start(slot));
    return all.reduce((best, thread) => (thread.sessions.size < best.sessions.size ? thread : best));
  }

  async function* run(request: EncodeRequest, done: (durationMs: number) => void): AsyncGenerator<Uint8Array> {
    const thread = leastLoaded();
    const session = nextSession++;
    const { format, sampleRate, totalSamples } = request;
    const send = (message: EncoderRequest) =>
      thread.worker.postMessage(message, message.kind === 'wav' ? [message.bytes] : []);
    const ask = (message: EncoderRequest) =>
      new Promise<EncoderReply>((resolve, reject) => {
        if (!thread.sessions.has(session)) return reject(new Error('The encoder thread ended.'));
        thread.sessions.set(session, { resolve, reject });
        send(message);
      });
    thread.sessions.set(session, null);
    try {
      send({ kind: 'open', session, format, sampleRate, totalSamples });
      for await (const wav of request.wavs) {
        const reply = await ask({ kind: 'wav', session, bytes: ownBuffer(wav) });
        if (reply.kind === 'bytes' && reply.bytes.length > 0) yield reply.bytes;
      }
      const reply = await ask({ kind: 'finish', session });
      if (reply.kind !== 'end') return;
      done(reply.durationMs);
      yield reply.bytes;
    } finally {
      if (thread.sessions.delete(session)) send({ kind: 'drop', session });
    }
  }

  return {
    encode(request) {
      let measured: number | null = null;
      return {
        bytes: run(request, (durationMs) => {
          measured = durationMs;
        }),
        durationMs() {
          if (measured === null) throw new Error('The encoding has not ended.');
          return measured;
        },
      };
    },
    async close() {
      closed = true;
      await Promise.all(pool.flatMap((thread) => thread?.worker.terminate() ?? []));
    },
  };
}

/** A buffer that holds just these bytes: what reads come from may be Node's shared pool. */
function ownBuffer(bytes: Uint8Array): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = bytes;
  if (buffer instanceof ArrayBuffer && byteOffset === 0 && byteLength === buffer.byteLength) return buffer;
  return Uint8Array.from(bytes).buffer;
}
