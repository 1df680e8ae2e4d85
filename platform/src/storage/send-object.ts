import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError } from '../errors.ts';
import type { ByteRange, ObjectStore } from './object-store.ts';

export interface SendObjectOptions {
  key: string;
  contentType: string;
  /** Saved under this name; shown inline without it. */
  fileName: string | null;
  maxAgeSeconds: number;
}

/** Answers GET and HEAD with an object: ETag, one byte range, conditional requests (RFC 9110 §13, §14). */
export async function sendObject(
  req: IncomingMessage,
  res: ServerResponse,
  store: ObjectStore,
  options: SendObjectOptions,
): Promise<void> {
  const head = await store.head(options.key);
  if (head === null) throw new AppError('NOT_FOUND', 'The object does not exist.');
  const { sizeBytes } = head;
  const etag = head.sha256 === undefined ? null : `"${head.sha256}"`;

  res.setHeader('accept-ranges', 'bytes');
  res.setHeader('cache-control', `private, max-age=${Math.max(0, options.maxAgeSeconds)}, immutable`);
  res.setHeader('x-content-type-options', 'nosniff');
  // Whatever was stored, a browser that opens the URL runs nothing of it.
  res.setHeader('content-security-policy', "default-src 'none'; media-src 'self'; sandbox");
  if (etag !== null) res.setHeader('etag', etag);
  if (etag !== null && matchesAny(req.headers['if-none-match'], etag)) {
    res.writeHead(304).end();
    return;
  }
  res.setHeader('content-type', options.contentType);
  if (options.fileName !== null) res.setHeader('content-disposition', attachment(options.fileName));

  const ifRange = req.headers['if-range'];
  const applies = ifRange === undefined || ifRange === etag;
  const range = applies ? parseRange(req.headers.range, sizeBytes) : null;
  if (range === 'unsatisfiable') {
    res.removeHeader('content-type');
    res.removeHeader('cache-control');
    res.writeHead(416, { 'content-range': `bytes */${sizeBytes}`, 'content-length': 0 }).end();
    return;
  }
  if (range === null) res.writeHead(200, { 'content-length': sizeBytes });
  else {
    res.writeHead(206, {
      'content-length': range.end - range.start + 1,
      'content-range': `bytes ${range.start}-${range.end}/${sizeBytes}`,
    });
  }
  if (req.method === 'HEAD') {
    res.end();
    return;
  }
  await pipeline(Readable.from(store.stream(options.key, range ?? undefined)), res);
}

/** Several ranges, other units and malformed headers are ignored, as RFC 9110 §14.2 allows: null is the whole object. */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | 'unsatisfiable' | null {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  if (match === null) return null;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return null;
  if (first === '') {
    const length = Math.min(Number(last), sizeBytes);
    return length === 0 ? 'unsatisfiable' : { start: sizeBytes - length, end: sizeBytes - 1 };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return null;
  if (start >= sizeBytes) return 'unsatisfiable';
  return { start, end: last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1) };
}

function matchesAny(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((candidate) => ['*', etag, `W/${etag}`].includes(candidate.trim()));
}

/** RFC 6266: a plain name for old clients, the real one for the others. */
function attachment(fileName: string): string {
  const plain = fileName.replace(/[^\w. -]/g, '_');
  const encoded = encodeURIComponent(fileName).replace(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
