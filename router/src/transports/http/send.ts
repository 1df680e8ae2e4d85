import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { brotliCompress, brotliCompressSync, constants, gzip, gzipSync } from 'node:zlib';
import { endAfterBody } from '@timbre/platform/http-body';
import { negotiateEncoding } from './content-encoding.ts';
import type { ContentEncoding } from './content-encoding.ts';
import type { ResponseType } from './media-types.ts';

export interface Payload {
  status: number;
  type: ResponseType;
  /** Is added to. */
  head: OutgoingHttpHeaders;
  text: string;
  /** The opaque part of its entity tag; absent where it has none. */
  entityTag?: string;
}

/** Sends a JSON response. @returns the bytes of its body as they go out */
export type Send = (res: ServerResponse, payload: Payload) => number | Promise<number>;

/** Below this a response fits into a packet or two anyway. */
const MIN_BYTES = 1_024;
/** Up to here, compressing at once costs less than a thread's pool does, and holds the event loop up for 0.1 ms at most. */
const MAX_SYNC_BYTES = 16_384;
/** Quality 3 makes no more of JSON than 4 does, in two thirds of the time. */
const BROTLI = {
  params: {
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    [constants.BROTLI_PARAM_QUALITY]: 3,
    [constants.BROTLI_PARAM_LGWIN]: 18,
  },
};
const GZIP = { level: 4 };

const compressLater = { br: promisify(brotliCompress), gzip: promisify(gzip) };

export function sendPlain(res: ServerResponse, { status, type, head, text, entityTag }: Payload): number {
  const length = Buffer.byteLength(text);
  if (entityTag !== undefined) head['etag'] = `"${entityTag}"`;
  head['content-type'] = `${type}; charset=utf-8`;
  head['content-length'] = length;
  // As a string it goes out in one piece with the head; a buffer would be written beside it.
  res.writeHead(status, head);
  endAfterBody(res, text);
  return length;
}

/** Compressed as the client takes it best, where it is large enough to be worth it. */
export function sendCompressed(res: ServerResponse, payload: Payload): number | Promise<number> {
  const { text } = payload;
  // Cheaper than counting bytes, of which there are no fewer.
  if (text.length < MIN_BYTES) return sendPlain(res, payload);
  const encoding = negotiateEncoding(res.req.headers['accept-encoding']);
  if (encoding === null) return sendPlain(res, payload);
  if (text.length <= MAX_SYNC_BYTES) {
    const bytes = encoding === 'br' ? brotliCompressSync(text, BROTLI) : gzipSync(text, GZIP);
    return sendBytes(res, payload, encoding, bytes);
  }
  return sendLater(res, payload, encoding);
}

async function sendLater(res: ServerResponse, payload: Payload, encoding: ContentEncoding): Promise<number> {
  const bytes =
    encoding === 'br' ? await compressLater.br(payload.text, BROTLI) : await compressLater.gzip(payload.text, GZIP);
  return sendBytes(res, payload, encoding, bytes);
}

function sendBytes(
  res: ServerResponse,
  { status, type, head, entityTag }: Payload,
  encoding: ContentEncoding,
  bytes: Buffer,
) {
  // The client may have left while its answer was compressed.
  if (res.destroyed) return 0;
  // Other bytes are another tag's, if it is a strong one.
  if (entityTag !== undefined) head['etag'] = `"${entityTag}-${encoding}"`;
  res.writeHead(status, {
    ...head,
    'content-type': `${type}; charset=utf-8`,
    'content-encoding': encoding,
    'content-length': bytes.length,
  });
  endAfterBody(res, bytes);
  return bytes.length;
}
