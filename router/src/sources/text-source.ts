import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/** Where a supergraph, a configuration or a list of documents comes from. */
export interface TextSource {
  /** What people are told; of a URL without its query and user, which may hold a key. */
  readonly name: string;
  /** The path of a file; null for a URL. */
  readonly file: string | null;
  /**
   * The text; null where it is the same as the last time.
   *
   * @throws Error that says what is wrong with the file or the answer
   */
  read(): Promise<string | null>;
}

export interface UrlSourceOptions {
  /** For the whole answer; default 10 s. */
  timeoutMs?: number;
  /** Default 16 MiB. */
  maxBytes?: number;
}

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 16 * 1024 * 1024;

/** `name` is a path or an http(s) URL. */
export function textSource(name: string, options: UrlSourceOptions = {}): TextSource {
  return /^https?:\/\//.test(name) ? urlSource(name, options) : fileSource(name);
}

function fileSource(file: string): TextSource {
  const changed = contentFilter();
  return {
    name: file,
    file,
    read: async () => changed(await readFile(file, 'utf8')),
  };
}

/** Polled with the ETag of the last answer (RFC 9110, section 13.1.2). */
function urlSource(url: string, { timeoutMs = TIMEOUT_MS, maxBytes = MAX_BYTES }: UrlSourceOptions): TextSource {
  const changed = contentFilter();
  let etag: string | null = null;
  const address = URL.parse(url);
  return {
    name: address === null ? url : address.origin + address.pathname,
    file: null,
    async read() {
      // What fetch says of it would show the password.
      if (address === null || address.username !== '' || address.password !== '') {
        throw new Error('It is no URL, or one with a user or a password in it.');
      }
      const response = await fetch(url, {
        headers: { accept: 'text/plain, */*;q=0.1', ...(etag === null ? {} : { 'if-none-match': etag }) },
        signal: AbortSignal.timeout(timeoutMs),
      });
      if (response.status === 304 && etag !== null) {
        await response.body?.cancel();
        return null;
      }
      if (!response.ok) {
        await response.body?.cancel();
        throw new Error(`The answer was ${response.status}.`);
      }
      const sdl = await textWithin(response, maxBytes);
      etag = response.headers.get('etag');
      return changed(sdl);
    },
  };
}

async function textWithin(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    // Leaving the loop cancels the rest.
    if (bytes > maxBytes) throw new Error(`The answer is longer than ${maxBytes} bytes.`);
    chunks.push(chunk);
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
}

/** A touched file, or a server without ETags: what counts is the text. */
function contentFilter(): (text: string) => string | null {
  let last: string | null = null;
  return (text) => {
    const digest = hash('sha256', text);
    if (digest === last) return null;
    last = digest;
    return text;
  };
}
