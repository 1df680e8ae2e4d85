import { brotliDecompress, gunzip } from 'node:zlib';

/** What `accept-encoding` says. */
export const ACCEPTED_ENCODINGS = 'gzip, br';

type Done = (error: Error | null, bytes: Buffer) => void;

/**
 * Undoes a content encoding off the event loop, never making more than `maxBytes`.
 *
 * @returns false where the encoding is not known
 */
export function decompress(encoding: string, body: Buffer, maxBytes: number, done: Done): boolean {
  const options = { maxOutputLength: maxBytes };
  switch (encoding.trim().toLowerCase()) {
    case 'gzip':
    case 'x-gzip':
      gunzip(body, options, done);
      return true;
    case 'br':
      brotliDecompress(body, options, done);
      return true;
    case 'identity':
      done(null, body);
      return true;
    default:
      return false;
  }
}

/** More would have come out than may. */
export function isBomb(error: Error): boolean {
  return 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}
