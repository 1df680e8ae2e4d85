import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { GraphQLError } from 'graphql';
import type { ResultStream } from '../results.ts';
import type { StreamFormat } from './stream-formats.ts';

export interface StreamResultsOptions {
  format: StreamFormat;
  /** Headers beside those of a stream. */
  head: OutgoingHttpHeaders;
  /** Between heartbeats. */
  keepAliveMs: number;
  /** A client that takes nothing for so long is cut. */
  slowMs: number;
  /** Logs what should not have happened. @returns what the client is told of it */
  onFailure: (error: unknown) => GraphQLError;
  /** What ends streams that would not end by themselves, with an error where there is one; null for those that do. */
  leaving: Set<() => void> | null;
}

const SLICE_BYTES = 64 * 1024;

/** Writes results to a response as they come, at the client's pace. A client that leaves ends them. */
export async function streamResults(
  res: ServerResponse,
  results: ResultStream,
  { format, head, keepAliveMs, slowMs, onFailure, leaving }: StreamResultsOptions,
): Promise<void> {
  let isLeaving = false;
  const end = () => {
    results.return?.().catch(onFailure);
  };
  const leave = () => {
    isLeaving = true;
    end();
  };
  res.writeHead(200, {
    ...head,
    'content-type': format.contentType,
    // Compressed or buffered on the way, an event would wait for the next ones.
    'cache-control': 'no-store, no-transform',
    'x-accel-buffering': 'no',
  });
  res.once('close', end);
  if (res.destroyed) end();
  leaving?.add(leave);
  const beat = setInterval(() => {
    if (!res.writableNeedDrain) res.write(format.heartbeat);
  }, keepAliveMs).unref();

  let last = format.closing;
  try {
    await write(res, format.opening, slowMs);
    for (;;) {
      const result = await results.next();
      if (result.done === true) break;
      await write(res, format.result(result.value), slowMs);
    }
    if (isLeaving) last = format.failure([goingAway()]) + last;
  } catch (error) {
    last = format.failure([error instanceof GraphQLError ? error : onFailure(error)]) + last;
  } finally {
    leaving?.delete(leave);
    clearInterval(beat);
    finish(res, last, slowMs);
  }
}

/** In slices, so that it shows whether a client takes anything of a long text. */
async function write(res: ServerResponse, text: string, slowMs: number): Promise<void> {
  if (text.length <= SLICE_BYTES) {
    if (!res.destroyed && !res.write(text)) await drained(res, slowMs);
    return;
  }
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length && !res.destroyed; at += SLICE_BYTES) {
    if (!res.write(bytes.subarray(at, at + SLICE_BYTES))) await drained(res, slowMs);
  }
}

/** Resolves when there is room for more, or nobody for whom. */
function drained(res: ServerResponse, slowMs: number): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      clearTimeout(slow);
      res.off('drain', settle).off('close', settle);
      resolve();
    };
    const slow = setTimeout(() => res.destroy(), slowMs);
    res.on('drain', settle).on('close', settle);
  });
}

/** The last part, within the time that every part has. */
function finish(res: ServerResponse, text: string, slowMs: number): void {
  if (res.destroyed) return;
  const slow = setTimeout(() => res.destroy(), slowMs);
  res.once('close', () => clearTimeout(slow));
  res.end(text);
}

function goingAway(): GraphQLError {
  return new GraphQLError('The server is going away: subscribe again.', {
    extensions: { code: 'SERVICE_UNAVAILABLE' },
  });
}
