import { createHash, randomUUID } from 'node:crypto';
import { access, constants, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { AppError } from '../errors.ts';
import { checkObjectKey, checkObjectPrefix, INCOMING } from './keys.ts';
import { encodeTrailer, isMissing, openObject } from './object-file.ts';
import type { ByteRange, ObjectStore, StoredObject } from './object-store.ts';
import type { UrlSigner } from './url-signer.ts';

export interface FsStoreOptions {
  /** Made when it does not exist. */
  root: string;
  /** What every URL begins with, without a trailing slash. */
  publicUrl: string;
  signer: UrlSigner;
}

/** Objects as files, with URLs that the media handler answers (see `media-handler.ts`). */
export interface FsStore extends ObjectStore {
  /**
   * Like `put`, with the last word on whether what was received is kept.
   * @param keep is asked once everything is written; throwing leaves nothing behind.
   */
  receive(
    key: string,
    body: AsyncIterable<Uint8Array>,
    contentType: string,
    keep: (object: StoredObject) => Promise<void>,
  ): Promise<StoredObject>;
}

const READ_BYTES = 256 * 1024;
/** Longer than any upload may take. */
const STALE_MS = 24 * 60 * 60 * 1000;

export async function createFsStore(options: FsStoreOptions): Promise<FsStore> {
  const { signer, publicUrl } = options;
  const root = resolve(options.root);
  const temporary = join(root, '.tmp');
  await mkdir(temporary, { recursive: true });
  await sweep(temporary);

  // No key contains `~`: a file can never stand where another key needs a directory.
  const pathOf = (key: string) => `${inside(root, checkObjectKey(key))}~`;

  async function receive(
    key: string,
    body: AsyncIterable<Uint8Array>,
    contentType: string,
    keep: (object: StoredObject) => Promise<void>,
  ): Promise<StoredObject> {
    const target = pathOf(key);
    const path = join(temporary, randomUUID());
    try {
      const object = await writeObject(path, body, contentType);
      await keep(object);
      await mkdir(dirname(target), { recursive: true });
      await rename(path, target);
      return object;
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }

  async function head(key: string) {
    const opened = await openObject(pathOf(key));
    await opened?.handle.close();
    return opened?.description ?? null;
  }

  async function* stream(key: string, range?: ByteRange): AsyncGenerator<Uint8Array, void, undefined> {
    const opened = await openObject(pathOf(key));
    if (opened === null) throw notFound(key);
    const { handle, description } = opened;
    try {
      let position = range?.start ?? 0;
      const end = Math.min((range?.end ?? Infinity) + 1, description.sizeBytes);
      while (position < end) {
        const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - position));
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
        if (bytesRead === 0) throw new Error(`Object ${key} ends early`);
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await handle.close();
    }
  }

  return {
    receive,
    head,
    stream,

    put: (key, body, { contentType }) =>
      receive(key, body instanceof Uint8Array ? once(body) : body, contentType, async () => undefined),

    async get(key) {
      const parts: Uint8Array[] = [];
      for await (const part of stream(key)) parts.push(part);
      return Buffer.concat(parts);
    },

    async delete(keys) {
      for (const key of keys) {
        await rm(pathOf(key), { force: true });
        await rm(pathOf(INCOMING + key), { force: true });
      }
    },

    async deletePrefix(prefix) {
      checkObjectPrefix(prefix);
      await rm(inside(root, prefix), { recursive: true, force: true });
      await rm(inside(root, INCOMING + prefix), { recursive: true, force: true });
    },

    async uploadTarget({ expiresInSeconds, ...claim }) {
      checkObjectKey(claim.key);
      const expiresAt = Math.floor(Date.now() / 1000) + expiresInSeconds;
      return {
        method: 'PUT',
        url: publicUrl + signer.upload({ ...claim, expiresAt }),
        headers: [{ name: 'Content-Type', value: claim.contentType }],
        expiresAt: new Date(expiresAt * 1000),
      };
    },

    async acceptUpload(key, expected) {
      const matches = (found: StoredObject) =>
        found.sizeBytes === expected.sizeBytes && found.sha256 === expected.sha256;
      // In this order: what another caller moves between the two looks is seen by the second.
      const incoming = await head(INCOMING + key);
      const present = await head(key);
      if (present !== null) return matches(present) ? 'accepted' : 'mismatch';
      if (incoming === null) return 'missing';
      if (!matches(incoming)) return 'mismatch';
      await mkdir(dirname(pathOf(key)), { recursive: true });
      try {
        await rename(pathOf(INCOMING + key), pathOf(key));
      } catch (error) {
        // Another caller accepted it at the same time.
        if (!isMissing(error) || (await head(key)) === null) throw error;
      }
      return 'accepted';
    },

    async downloadUrl({ key, contentType, expiresInSeconds, fileName }) {
      checkObjectKey(key);
      const expiresAt = Math.floor(Date.now() / 1000) + expiresInSeconds;
      return {
        url: publicUrl + signer.download({ key, contentType, fileName: fileName ?? null, expiresAt }),
        expiresAt: new Date(expiresAt * 1000),
      };
    },

    async check() {
      await access(temporary, constants.R_OK | constants.W_OK);
    },
  };
}

/** A second lock on the same door: one mistake in the form of keys must not become a deletion elsewhere. */
function inside(root: string, key: string): string {
  const path = join(root, key);
  if (!path.startsWith(root + sep)) throw new RangeError(`Not below the store: ${JSON.stringify(key)}`);
  return path;
}

async function writeObject(path: string, body: AsyncIterable<Uint8Array>, contentType: string): Promise<StoredObject> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const handle = await open(path, 'wx', 0o640);
  try {
    for await (const part of body) {
      hash.update(part);
      sizeBytes += part.length;
      await handle.writeFile(part);
    }
    const sha256 = hash.digest('hex');
    await handle.writeFile(encodeTrailer({ sha256, contentType }));
    await handle.datasync();
    return { sizeBytes, sha256 };
  } finally {
    await handle.close();
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

/** What a process left behind when it was killed while writing. */
async function sweep(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const found = await stat(path).catch(() => null);
    if (found !== null && Date.now() - found.mtimeMs > STALE_MS) await rm(path, { force: true });
  }
}

function notFound(key: string): AppError {
  return new AppError('NOT_FOUND', 'The object does not exist.', { cause: new Error(key) });
}
